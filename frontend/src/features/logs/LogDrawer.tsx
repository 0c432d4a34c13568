import { useQuery } from '@tanstack/react-query';
import { ChevronLeft, ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { api, ApiError, data, type LogRow } from '../../api/client';
import { useIsAdmin } from '../../app/session';
import { useSpeech, useT } from '../../i18n';
import { duration, moment } from '../../lib/format';
import { wordsOf } from '../../lib/problems';
import { CopyButton, Failure, IconButton, Notice, Sheet, Skeleton, Tabs } from '../../ui';
import { CostTable } from './CostTable';
import { CostText } from './CostText';
import { ErrorTab } from './ErrorTab';
import type { LogFilters } from './filters';
import { speedOf } from './numbers';
import { RouteTab } from './RouteTab';
import { StatusBadge } from '../status/StatusBadge';
import { Timeline } from './Timeline';

interface Props {
  id: string;
  /** The row as the list has it: shown at once, while the newest is fetched. */
  known: LogRow | undefined;
  onClose: () => void;
  onPrevious: (() => void) | undefined;
  onNext: (() => void) | undefined;
  onFilter: (filters: LogFilters) => void;
}

/** Everything about one request: when, where to, what it cost, and what went wrong. */
export function LogDrawer({ id, known, onClose, onPrevious, onNext, onFilter }: Props) {
  const t = useT();
  const query = useQuery({
    queryKey: ['logs', 'row', id],
    queryFn: () => data(api.GET('/api/v1/logs/{log_id}', { params: { path: { log_id: id } } })),
    placeholderData: known,
  });
  const row = query.data;
  return (
    <Sheet
      open
      onClose={onClose}
      title={t('logs.detail')}
      actions={
        <>
          <IconButton
            icon={ChevronLeft}
            size="s"
            label={t('logs.previous')}
            disabled={!onPrevious}
            onClick={onPrevious}
          />
          <IconButton icon={ChevronRight} size="s" label={t('logs.next')} disabled={!onNext} onClick={onNext} />
        </>
      }
    >
      {row ? (
        <Detail row={row} onFilter={onFilter} />
      ) : query.error ? (
        <Failure
          title={t('state.error')}
          message={wordsOf(query.error, t)}
          requestId={query.error instanceof ApiError ? query.error.requestId : null}
          onRetry={() => void query.refetch()}
        />
      ) : (
        <Skeleton />
      )}
    </Sheet>
  );
}

function Detail({ row, onFilter }: { row: LogRow; onFilter: (filters: LogFilters) => void }) {
  const { t, language } = useSpeech();
  const speed = speedOf(row);
  return (
    <div className="flex flex-col gap-4 p-5">
      <div className="flex flex-wrap items-center gap-2">
        <StatusBadge row={row} />
        <span className="flex min-w-0 items-center font-mono text-sm">
          <span className="truncate">{row.request_id}</span>
          <CopyButton text={row.request_id} />
        </span>
        <time dateTime={row.at} className="ml-auto text-sm text-mut">
          {moment(row.at, language)}
        </time>
      </div>
      {row.error && <Notice tone="bad">{row.error.message}</Notice>}
      <dl className="grid grid-cols-2 gap-2 sm:grid-cols-4">
        <Tile label={t('logs.tile.cost')} value={<CostText row={row} />} />
        <Tile label={t('logs.tile.ttft')} value={row.ttft_ms === null ? '–' : duration(row.ttft_ms)} />
        <Tile label={t('logs.tile.total')} value={duration(row.duration_ms)} />
        <Tile label={t('logs.tile.speed')} value={speed === null ? '–' : t('logs.speed', { n: Math.round(speed) })} />
      </dl>
      <Tabs
        label={t('logs.detail')}
        tabs={[
          { id: 'summary', label: t('logs.tab.summary'), content: <Summary row={row} onFilter={onFilter} /> },
          { id: 'route', label: t('logs.tab.route'), content: <RouteTab row={row} /> },
          { id: 'cost', label: t('logs.tab.cost'), content: <CostTable row={row} /> },
          ...(row.error ? [{ id: 'error', label: t('logs.tab.error'), content: <ErrorTab error={row.error} /> }] : []),
        ]}
      />
    </div>
  );
}

function Tile({ label, value }: { label: string; value: ReactNode }) {
  return (
    <div className="rounded-md border border-line p-2">
      <dt className="text-xs text-mut">{label}</dt>
      <dd className="text-lg font-semibold">{value}</dd>
    </div>
  );
}

function Summary({ row, onFilter }: { row: LogRow; onFilter: (filters: LogFilters) => void }) {
  const { t } = useSpeech();
  const isAdmin = useIsAdmin();
  const filter = (label: ReactNode, filters: LogFilters) => (
    <button type="button" onClick={() => onFilter(filters)} className="rounded text-acc underline">
      {label}
    </button>
  );
  const facts: [string, ReactNode][] = [
    [t('logs.key'), row.key?.id ? filter(row.key.name, { key_id: row.key.id }) : '–'],
    ...(isAdmin && row.user ? [[t('logs.user'), row.user.login] as [string, ReactNode]] : []),
    [t('logs.requested'), row.requested_model ?? '–'],
    [t('logs.slot'), row.slot ?? '–'],
    ...(row.rule ? [[t('logs.rule'), row.rule] as [string, ReactNode]] : []),
    [t('logs.served'), row.platform === null ? '–' : `${row.platform} · ${row.model}`],
    ...(row.credential?.name ? [[t('logs.credential'), row.credential.name] as [string, ReactNode]] : []),
    [t('logs.stream'), t(row.stream ? 'logs.stream.yes' : 'logs.stream.no')],
    [t('logs.stop'), row.stop_reason ?? '–'],
    [t('logs.client'), row.client ?? '–'],
    [t('logs.address'), row.client_ip ?? '–'],
    ...(row.session_id
      ? [[t('logs.session'), filter(row.session_id, { session_id: row.session_id })] as [string, ReactNode]]
      : []),
    ...(row.agent_id ? [[t('logs.agent'), row.agent_id] as [string, ReactNode]] : []),
    ...(row.upstream_request_id ? [[t('logs.upstream_id'), row.upstream_request_id] as [string, ReactNode]] : []),
  ];
  return (
    <div className="flex flex-col gap-4">
      <Timeline row={row} />
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5 text-sm">
        {facts.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-mut">{name}</dt>
            <dd className="min-w-0 break-words">{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
