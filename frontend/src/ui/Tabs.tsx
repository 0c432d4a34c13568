import { Tabs as Base } from '@base-ui/react/tabs';
import type { ReactNode } from 'react';

export interface Tab {
  id: string;
  label: ReactNode;
  content: ReactNode;
}

interface Props {
  tabs: Tab[];
  label: string;
  value?: string;
  onChange?: (id: string) => void;
}

export function Tabs({ tabs, label, value, onChange }: Props) {
  const control = value === undefined ? { defaultValue: tabs[0]?.id ?? '' } : { value };
  return (
    <Base.Root {...control} onValueChange={(id) => onChange?.(String(id))} className="flex min-w-0 flex-col gap-3">
      <Base.List aria-label={label} className="flex gap-4 overflow-x-auto border-b border-line">
        {tabs.map((tab) => (
          <Base.Tab
            key={tab.id}
            value={tab.id}
            className="-mb-px h-9 border-b-2 border-transparent px-1 text-base whitespace-nowrap text-mut hover:text-ink data-active:border-acc data-active:font-medium data-active:text-ink"
          >
            {tab.label}
          </Base.Tab>
        ))}
      </Base.List>
      {tabs.map((tab) => (
        <Base.Panel key={tab.id} value={tab.id} className="min-w-0 outline-offset-4">
          {tab.content}
        </Base.Panel>
      ))}
    </Base.Root>
  );
}
