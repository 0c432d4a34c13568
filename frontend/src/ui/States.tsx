import { CircleAlert, Inbox, type LucideIcon } from 'lucide-react';
import { useEffect, useState, type ReactNode } from 'react';
import { useT } from '../i18n';
import { Button } from './Button';
import { CopyButton } from './Copy';

/** Becomes true after a moment: what comes quickly shows no skeleton first. */
function useSoon(ms = 150): boolean {
  const [soon, setSoon] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSoon(true), ms);
    return () => clearTimeout(timer);
  }, [ms]);
  return soon;
}

/** The shape of a list that is on its way. */
export function Skeleton({ rows = 8, height = 'h-10' }: { rows?: number; height?: string }) {
  const t = useT();
  const soon = useSoon();
  return (
    <div aria-busy="true" className="flex flex-col gap-2 p-4">
      <span className="sr-only">{t('state.loading')}</span>
      {soon &&
        Array.from({ length: rows }, (_, row) => (
          <div key={row} className={`pulse ${height} rounded-md bg-soft`} aria-hidden />
        ))}
    </div>
  );
}

export function Empty({
  icon: Icon = Inbox,
  title,
  hint,
  action,
}: {
  icon?: LucideIcon;
  title: string;
  hint?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center gap-2 px-4 py-14 text-center">
      <Icon className="size-8 text-mut" aria-hidden />
      <p className="text-lg font-medium">{title}</p>
      {hint && <div className="max-w-md text-base text-mut">{hint}</div>}
      {action && <div className="mt-2 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

interface FailureProps {
  /** What failed, in words. */
  title: string;
  message: string;
  requestId?: string | null | undefined;
  onRetry?: (() => void) | undefined;
}

export function Failure({ title, message, requestId, onRetry }: FailureProps) {
  const t = useT();
  return (
    <div role="alert" className="flex flex-col items-center gap-2 px-4 py-12 text-center">
      <CircleAlert className="size-8 text-bad" aria-hidden />
      <p className="text-lg font-medium">{title}</p>
      <p className="max-w-md text-base text-mut break-words">{message}</p>
      {requestId && (
        <p className="flex items-center gap-1 font-mono text-xs text-mut">
          {t('state.request_id', { id: requestId })}
          <CopyButton text={requestId} />
        </p>
      )}
      {onRetry && (
        <Button onClick={onRetry} tone="plain">
          {t('action.retry')}
        </Button>
      )}
    </div>
  );
}

/** A line that says something about the page; `alert` where it must be heard at once. */
export function Notice({
  tone = 'warn',
  icon: Icon = CircleAlert,
  children,
  action,
}: {
  tone?: 'warn' | 'bad' | 'ok' | 'acc';
  icon?: LucideIcon;
  children: ReactNode;
  action?: ReactNode;
}) {
  const look = {
    warn: 'bg-warn-soft text-warn',
    bad: 'bg-bad-soft text-bad',
    ok: 'bg-ok-soft text-ok',
    acc: 'bg-acc-soft text-acc',
  }[tone];
  return (
    <div
      role={tone === 'bad' ? 'alert' : 'status'}
      className={`flex flex-wrap items-center gap-2 rounded-md px-3 py-2 text-base ${look}`}
    >
      <Icon className="size-4 shrink-0" aria-hidden />
      <div className="min-w-0 flex-1 break-words">{children}</div>
      {action}
    </div>
  );
}
