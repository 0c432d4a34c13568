import { Menu as Base } from '@base-ui/react/menu';
import clsx from 'clsx';
import { Check, type LucideIcon } from 'lucide-react';
import type { ReactElement } from 'react';

export interface MenuEntry {
  label: string;
  icon?: LucideIcon;
  onSelect: () => void;
  danger?: boolean;
  checked?: boolean;
  disabled?: boolean;
}

/** A button with a list of actions. `null` in the entries is a line. */
export function Menu({ trigger, entries }: { trigger: ReactElement; entries: (MenuEntry | null)[] }) {
  return (
    <Base.Root modal={false}>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner sideOffset={4} align="end" className="z-50 outline-none">
          <Base.Popup className="fade min-w-44 rounded-lg border border-line bg-panel p-1 shadow-float outline-none">
            {entries.map((entry, index) =>
              entry === null ? (
                <Base.Separator key={`line-${entries[index - 1]?.label ?? ''}`} className="my-1 h-px bg-line" />
              ) : (
                <Base.Item
                  key={entry.label}
                  onClick={entry.onSelect}
                  disabled={entry.disabled ?? false}
                  className={clsx(
                    'flex h-8 items-center gap-2 rounded-md px-2 text-base outline-none select-none data-disabled:text-mut data-highlighted:bg-soft',
                    entry.danger && 'text-bad',
                  )}
                >
                  {entry.icon && <entry.icon className="size-4 shrink-0" aria-hidden />}
                  {entry.label}
                  {entry.checked && <Check className="ml-auto size-4" aria-hidden />}
                </Base.Item>
              ),
            )}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
