import { Combobox as Base } from '@base-ui/react/combobox';
import clsx from 'clsx';
import { Check, ChevronsUpDown } from 'lucide-react';
import { useT } from '../i18n';
import { inputLook, useFieldLink } from './Field';
import type { Choice } from './Select';

interface Props {
  value: string;
  onChange: (value: string) => void;
  choices: readonly Choice<string>[];
  label?: string;
  placeholder?: string;
  /** Whether what was typed may be taken though no choice has it: model ids are many. */
  free?: boolean;
}

/** A select with a search field in its list; with `free`, what is typed can be chosen as it is. */
export function SearchSelect({ value, onChange, choices, label, placeholder, free = false }: Props) {
  const t = useT();
  const link = useFieldLink();
  const known = choices.find((choice) => choice.value === value);
  const shown = known ?? (value ? { value, label: value } : null);
  const items: Choice<string>[] = known || !value ? [...choices] : [{ value, label: value }, ...choices];
  return (
    <Base.Root
      items={items}
      value={shown}
      itemToStringLabel={(choice: Choice<string>) => choice.label}
      isItemEqualToValue={(one: Choice<string>, other: Choice<string>) => one.value === other.value}
      onValueChange={(next: Choice<string> | null) => next !== null && onChange(next.value)}
    >
      <Base.Trigger
        {...link}
        aria-label={label}
        className={clsx(inputLook, 'inline-flex items-center justify-between gap-2 text-left')}
      >
        <span className={clsx('truncate', !shown && 'text-mut')}>{shown?.label ?? placeholder ?? ''}</span>
        <ChevronsUpDown className="size-4 shrink-0 text-mut" aria-hidden />
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={4} className="z-50 outline-none">
          <Base.Popup
            aria-label={label ?? placeholder}
            className="fade flex max-h-80 w-[max(var(--anchor-width),18rem)] max-w-[92vw] flex-col rounded-lg border border-line bg-panel shadow-float outline-none"
          >
            <div className="border-b border-line p-1">
              <Base.Input
                aria-label={t('field.search')}
                placeholder={t('field.search')}
                className="h-8 w-full rounded-md bg-transparent px-2 text-base outline-none"
                onKeyDown={(event) => {
                  const typed = event.currentTarget.value.trim();
                  const nothing = event.currentTarget.getAttribute('aria-activedescendant') === null;
                  if (free && event.key === 'Enter' && typed && nothing) {
                    onChange(typed);
                    event.preventDefault();
                    event.currentTarget.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
                  }
                }}
              />
            </div>
            <Base.Empty className="px-3 py-2 text-sm text-mut empty:hidden">{t('app.palette.empty')}</Base.Empty>
            <Base.List className="overflow-y-auto p-1 outline-none empty:hidden">
              {(choice: Choice<string>) => (
                <Base.Item
                  key={choice.value}
                  value={choice}
                  className="flex min-h-8 items-center gap-2 rounded-md px-2 py-1 text-base outline-none select-none data-highlighted:bg-soft"
                >
                  <span className="w-4 shrink-0">
                    <Base.ItemIndicator>
                      <Check className="size-4" aria-hidden />
                    </Base.ItemIndicator>
                  </span>
                  <span className="min-w-0 break-words">{choice.label}</span>
                  {choice.note && (
                    <span className="ml-auto pl-4 text-xs whitespace-nowrap text-mut">{choice.note}</span>
                  )}
                </Base.Item>
              )}
            </Base.List>
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
