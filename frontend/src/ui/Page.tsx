import clsx from 'clsx';
import { useEffect, type ReactNode } from 'react';
import { useT } from '../i18n';

interface Props {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  /** A thin bar below the head while newer data is on its way. */
  refreshing?: boolean;
}

/** A page: its one heading, its actions, its content. Sets the window's title. */
export function Page({ title, lead, actions, children, refreshing = false }: Props) {
  const t = useT();
  useEffect(() => {
    document.title = `${title} · ${t('app.name')}`;
  }, [title, t]);
  return (
    <div className="mx-auto flex max-w-[1400px] flex-col gap-4 p-4 sm:p-6">
      <div className="flex flex-wrap items-end gap-3">
        <div className="min-w-0 flex-1 basis-60">
          <h1 className="text-xl font-semibold">{title}</h1>
          {lead && <p className="text-base text-mut">{lead}</p>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      <div className={clsx('-mt-3 h-0.5 rounded-full', refreshing ? 'pulse bg-acc' : 'bg-transparent')} aria-hidden />
      {children}
    </div>
  );
}

export function Card({
  title,
  actions,
  children,
  padded = true,
}: {
  title?: string;
  actions?: ReactNode;
  children: ReactNode;
  padded?: boolean;
}) {
  return (
    <section className="min-w-0 rounded-lg border border-line bg-panel">
      {(title || actions) && (
        <div className="flex items-center gap-2 px-4 pt-3 pb-1">
          {title && <h2 className="flex-1 text-base font-semibold">{title}</h2>}
          {actions}
        </div>
      )}
      <div className={clsx('min-w-0', padded && 'p-4')}>{children}</div>
    </section>
  );
}
