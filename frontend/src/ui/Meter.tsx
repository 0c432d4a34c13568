import clsx from 'clsx';

/** How much of a limit is used: amber from 70 %, red from 90 %; the words beside it say the same. */
export function Meter({ used, of, label }: { used: number; of: number; label: string }) {
  const share = of > 0 ? Math.min(1, used / of) : 1;
  const tone = share >= 0.9 ? 'bg-bad' : share >= 0.7 ? 'bg-warn' : 'bg-bar';
  return (
    <div
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)}
      className="h-1.5 w-full overflow-hidden rounded-full bg-soft"
    >
      <div className={clsx('h-full rounded-full', tone)} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
