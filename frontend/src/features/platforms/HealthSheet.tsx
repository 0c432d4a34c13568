import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Credential } from '../../api/client';
import { useSpeech } from '../../i18n';
import { moment } from '../../lib/format';
import { wordsOf } from '../../lib/problems';
import { Badge, Failure, Meter, Sheet, Skeleton } from '../../ui';
import { HealthStrip } from './HealthStrip';
import { healthQuery } from '../status/credentials';
import { StateBadge } from './StateBadge';

export function HealthSheet({ shown, onClose }: { shown: Credential; onClose: () => void }) {
  const { t, language } = useSpeech();
  const health = useQuery(healthQuery(shown.id));
  return (
    <Sheet open onClose={onClose} title={t('platforms.health.title', { name: shown.name })}>
      {health.data ? (
        <div className="flex flex-col gap-5 p-5">
          <StateBadge state={health.data.state} />
          <HealthStrip halfHours={health.data.half_hours} />
          {health.data.quota && (
            <section className="flex flex-col gap-2">
              <h3 className="text-sm font-semibold">{t('platforms.quota')}</h3>
              {health.data.quota.windows.map((window) => (
                <div key={window.name} className="flex flex-col gap-1 text-sm">
                  <span className="flex justify-between gap-2">
                    <span>{window.name}</span>
                    {window.resets_at && <span className="text-mut">{moment(window.resets_at, language)}</span>}
                  </span>
                  {window.used !== null && window.limit !== null && (
                    <Meter
                      used={Number(window.used)}
                      of={Number(window.limit)}
                      label={`${window.name}: ${window.used} / ${window.limit}`}
                    />
                  )}
                </div>
              ))}
            </section>
          )}
          <section className="flex flex-col gap-2">
            <h3 className="text-sm font-semibold">{t('platforms.errors')}</h3>
            {health.data.last_errors.length === 0 && <p className="text-sm text-mut">{t('platforms.errors.none')}</p>}
            <ul className="flex flex-col gap-2">
              {health.data.last_errors.map((failed) => (
                <li
                  key={failed.log_id + failed.at}
                  className="flex flex-col gap-1 rounded-md border border-line p-2 text-sm"
                >
                  <span className="flex flex-wrap items-center gap-2">
                    <Badge tone="bad">{`${failed.status ?? ''} ${failed.outcome}`.trim()}</Badge>
                    <span>{failed.model}</span>
                    <Link to="/logs" search={{ id: failed.log_id }} className="ml-auto text-acc underline">
                      {moment(failed.at, language)}
                    </Link>
                  </span>
                  {failed.reason && <span className="break-words text-mut">{failed.reason}</span>}
                </li>
              ))}
            </ul>
          </section>
        </div>
      ) : health.error ? (
        <Failure title={t('state.error')} message={wordsOf(health.error, t)} onRetry={() => void health.refetch()} />
      ) : (
        <Skeleton />
      )}
    </Sheet>
  );
}
