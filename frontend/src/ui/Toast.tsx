import { Toast as Base } from '@base-ui/react/toast';
import { CircleAlert, CircleCheck, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { useT } from '../i18n';
import { IconButton } from './Button';

const manager = Base.createToastManager();

/** How long a toast with a way back stays. */
const UNDO_MS = 8000;

interface Said {
  title: string;
  description?: string;
  tone?: 'ok' | 'bad';
  /** Takes back what was done. */
  undo?: { label: string; run: () => void };
}

export function say({ title, description, tone = 'ok', undo }: Said): void {
  const id = manager.add({
    title,
    description,
    type: tone,
    timeout: undo ? UNDO_MS : tone === 'bad' ? UNDO_MS : 4000,
    priority: tone === 'bad' ? 'high' : 'low',
    ...(undo && {
      actionProps: {
        children: undo.label,
        onClick: () => {
          manager.close(id);
          undo.run();
        },
      },
    }),
  });
}

export function Toasts({ children }: { children: ReactNode }) {
  return (
    <Base.Provider toastManager={manager}>
      {children}
      <Base.Portal>
        <Base.Viewport className="fixed right-4 bottom-4 z-50 flex w-[min(380px,calc(100vw-32px))] flex-col gap-2 outline-none">
          <List />
        </Base.Viewport>
      </Base.Portal>
    </Base.Provider>
  );
}

function List() {
  const t = useT();
  const { toasts } = Base.useToastManager();
  return toasts.map((toast) => (
    <Base.Root key={toast.id} toast={toast} className="fade rounded-lg border border-line bg-panel p-3 shadow-float">
      <Base.Content className="flex items-start gap-2">
        {toast.type === 'bad' ? (
          <CircleAlert className="mt-0.5 size-4 shrink-0 text-bad" aria-hidden />
        ) : (
          <CircleCheck className="mt-0.5 size-4 shrink-0 text-ok" aria-hidden />
        )}
        <div className="min-w-0 flex-1">
          <Base.Title className="text-base font-medium break-words" />
          <Base.Description className="text-sm text-mut break-words" />
        </div>
        <Base.Action className="h-7 rounded-md px-2 text-base font-medium text-acc hover:bg-soft" />
        <Base.Close render={<IconButton icon={X} label={t('action.close')} size="s" />} />
      </Base.Content>
    </Base.Root>
  ));
}
