import clsx from 'clsx';
import type { Schema } from '../../api/client';
import { useT } from '../../i18n';

/** The last day in half hours: grey without attempts, red the more of them failed. The words say the sum. */
export function HealthStrip({ halfHours }: { halfHours: Schema['HalfHour'][] }) {
  const t = useT();
  const attempts = halfHours.reduce((sum, part) => sum + part.attempts, 0);
  const failed = halfHours.reduce((sum, part) => sum + part.failed, 0);
  const words = attempts === 0 ? t('platforms.health.none') : t('platforms.health.words', { failed, n: attempts });
  return (
    <div className="flex flex-col gap-0.5">
      <div role="img" aria-label={words} className="flex h-4 items-stretch gap-px">
        {halfHours.map((part) => {
          const share = part.attempts === 0 ? null : part.failed / part.attempts;
          return (
            <span
              key={part.at}
              className={clsx(
                'w-1 rounded-xs',
                share === null ? 'bg-line' : share === 0 ? 'bg-bar' : share < 0.2 ? 'bg-warn' : 'bg-bad',
              )}
            />
          );
        })}
      </div>
      <span className="text-xs text-mut">{words}</span>
    </div>
  );
}
