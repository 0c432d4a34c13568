import { Select as Base } from '@base-ui/react/select';
import clsx from 'clsx';
import { Check, ChevronsUpDown } from 'lucide-react';
import { useFieldLink, inputLook } from './Field';

export interface Choice<Value extends string> {
  value: Value;
  label: string;
  note?: string | undefined;
}

interface Props<Value extends string> {
  value: Value;
  onChange: (value: Value) => void;
  choices: readonly Choice<Value>[];
  /** Names the control where it stands in no Field. */
  label?: string;
  disabled?: boolean;
  width?: string;
}

export function Select<Value extends string>({
  value,
  onChange,
  choices,
  label,
  disabled = false,
  width = 'w-full',
}: Props<Value>) {
  const link = useFieldLink();
  return (
    <Base.Root
      value={value}
      onValueChange={(next) => next !== null && onChange(next as Value)}
      items={choices.map(({ value: known, label: shown }) => ({ value: known, label: shown }))}
      disabled={disabled}
    >
      <Base.Trigger
        {...link}
        aria-label={label}
        className={clsx(inputLook, width, 'inline-flex items-center justify-between gap-2 text-left')}
      >
        <Base.Value className="truncate" />
        <Base.Icon>
          <ChevronsUpDown className="size-4 text-mut" aria-hidden />
        </Base.Icon>
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-50 outline-none">
          <Base.Popup className="fade max-h-80 min-w-[var(--anchor-width)] overflow-y-auto rounded-lg border border-line bg-panel p-1 shadow-float outline-none">
            {choices.map((choice) => (
              <Base.Item
                key={choice.value}
                value={choice.value}
                className="flex h-8 items-center gap-2 rounded-md px-2 text-base outline-none select-none data-highlighted:bg-soft"
              >
                <span className="w-4">
                  <Base.ItemIndicator>
                    <Check className="size-4" aria-hidden />
                  </Base.ItemIndicator>
                </span>
                <Base.ItemText>{choice.label}</Base.ItemText>
                {choice.note && <span className="ml-auto pl-4 text-xs text-mut">{choice.note}</span>}
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
