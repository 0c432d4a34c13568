import { CircleCheck, CircleX } from 'lucide-react';
import type { LogRow } from '../../api/client';
import { useT, type Translate } from '../../i18n';
import { duration } from '../../lib/format';
import { Badge } from '../../ui';

function why(row: LogRow, t: Translate): string {
  const model = row.requested_model ?? '–';
  if (row.rule) return t('logs.why.rule', { rule: row.rule, model });
  if (row.slot) return t('logs.why.slot', { slot: row.slot, model });
  return t(row.attempts.length > 0 ? 'logs.why.default' : 'logs.why.none', { model });
}

/** Why the request went where it went, and every try on the way. */
export function RouteTab({ row }: { row: LogRow }) {
  const t = useT();
  return (
    <div className="flex flex-col gap-4 text-sm">
      <section>
        <h3 className="font-semibold">{t('logs.why')}</h3>
        <p>{why(row, t)}</p>
      </section>
      <section className="flex flex-col gap-2">
        <h3 className="font-semibold">{t('logs.attempts')}</h3>
        {row.attempts.length === 0 && <p className="text-mut">{t('logs.attempts.none')}</p>}
        <ol className="flex flex-col gap-2">
          {row.attempts.map((attempt, index) => (
            <li key={index} className="flex flex-col gap-1 rounded-md border border-line p-2">
              <span className="flex flex-wrap items-center gap-2">
                {attempt.outcome === 'ok' ? (
                  <CircleCheck className="size-4 text-ok" aria-hidden />
                ) : (
                  <CircleX className="size-4 text-bad" aria-hidden />
                )}
                <span className="font-medium">
                  {attempt.platform} · {attempt.model}
                </span>
                {attempt.credential?.name && <span className="text-mut">{attempt.credential.name}</span>}
                <span className="ml-auto">{duration(attempt.ms)}</span>
                <Badge tone={attempt.outcome === 'ok' ? 'ok' : 'bad'}>
                  {attempt.outcome === 'ok'
                    ? t('logs.attempt.ok')
                    : `${attempt.status ?? ''} ${attempt.outcome}`.trim()}
                </Badge>
              </span>
              {attempt.reason && <span className="text-mut break-words">{attempt.reason}</span>}
            </li>
          ))}
        </ol>
      </section>
    </div>
  );
}
