import clsx from 'clsx';

interface Props<Value extends string> {
  label: string;
  value: Value;
  onChange: (value: Value) => void;
  choices: readonly { value: Value; label: string }[];
}

/** A few exclusive choices side by side: buttons that say whether they are pressed. */
export function Segments<Value extends string>({ label, value, onChange, choices }: Props<Value>) {
  return (
    <div role="group" aria-label={label} className="inline-flex h-9 shrink-0 items-center rounded-md bg-soft p-0.5">
      {choices.map((choice) => (
        <button
          key={choice.value}
          type="button"
          aria-pressed={choice.value === value}
          onClick={() => onChange(choice.value)}
          className={clsx(
            'h-8 rounded-md px-3 text-base whitespace-nowrap',
            choice.value === value ? 'bg-panel font-medium text-ink' : 'text-mut hover:text-ink',
          )}
        >
          {choice.label}
        </button>
      ))}
    </div>
  );
}
