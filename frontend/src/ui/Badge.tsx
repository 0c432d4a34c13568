import clsx from 'clsx';
import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';

export type BadgeTone = 'ok' | 'warn' | 'bad' | 'plain' | 'acc';

const TONES: Record<BadgeTone, string> = {
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  acc: 'bg-acc-soft text-acc',
  plain: 'bg-soft text-ink',
};

/** A short state in words; its colour only repeats what it says. */
export function Badge({
  tone = 'plain',
  icon: Icon,
  title,
  children,
}: {
  tone?: BadgeTone;
  icon?: LucideIcon;
  title?: string | undefined;
  children: ReactNode;
}) {
  return (
    <span
      title={title}
      className={clsx(
        'inline-flex h-5.5 items-center gap-1 rounded-md px-1.5 text-xs font-medium whitespace-nowrap',
        TONES[tone],
      )}
    >
      {Icon && <Icon className="size-3.5" aria-hidden />}
      {children}
    </span>
  );
}
