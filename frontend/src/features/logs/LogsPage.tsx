import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { ListTree, X } from 'lucide-react';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { api, ApiError, data, type LogRow } from '../../api/client';
import { useIsAdmin } from '../../app/session';
import { useT } from '../../i18n';
import { useShortcuts } from '../../lib/keys';
import { wordsOf } from '../../lib/problems';
import { Button, buttonLook, Card, Empty, Failure, Page, Segments, Select, Skeleton, Switch } from '../../ui';
import { apiQuery, KINDS, narrows, STATUSES, type LogFilters } from './filters';
import { LogDrawer } from './LogDrawer';
import { LogList } from './LogList';

const PAGE = 100;
const TAIL_MS = 3000;

export default function LogsPage() {
  const t = useT();
  const isAdmin = useIsAdmin();
  const navigate = useNavigate({ from: '/logs' });
  const filters = useSearch({ from: '/shell/logs' });
  const { id: openId, ...narrowing } = filters;
  const [tail, setTail] = useState(false);
  const set = useCallback(
    (changes: Partial<LogFilters>) => void navigate({ search: (before) => ({ ...before, ...changes }), replace: true }),
    [navigate],
  );

  const search = useCallback((q: string) => set({ q }), [set]);

  const query = useInfiniteQuery({
    queryKey: ['logs', 'list', narrowing],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      data(
        api.GET('/api/v1/logs', {
          params: {
            query: { ...apiQuery(narrowing, Date.now()), limit: PAGE, ...(pageParam && { cursor: pageParam }) },
          },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: tail && openId === undefined ? TAIL_MS : false,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const at = rows.findIndex((row) => row.id === openId);
  const open = useCallback((row: LogRow | undefined) => row && set({ id: row.id }), [set]);
  useShortcuts({
    t: () => setTail((on) => !on),
    '[': openId === undefined ? undefined : () => open(rows[at - 1]),
    ']': openId === undefined ? undefined : () => open(rows[at + 1]),
  });
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  return (
    <Page
      title={t(isAdmin ? 'nav.logs' : 'nav.my_logs')}
      lead={t('logs.lead')}
      refreshing={query.isRefetching && !tail}
      actions={<Switch shown checked={tail} onChange={setTail} label={t('logs.tail')} />}
    >
      <div className="flex flex-wrap items-center gap-2">
        <FilterText key={filters.q ?? ''} label={t('logs.search')} value={filters.q ?? ''} onChange={search} />
        <Segments
          label={t('logs.range')}
          value={filters.range ?? 'all'}
          onChange={(range) => set({ range: range === 'all' ? '' : range })}
          choices={(['1h', '24h', '7d', 'all'] as const).map((value) => ({
            value: value as string,
            label: t(`logs.range.${value}`),
          }))}
        />
        <div className="w-40">
          <Select
            label={t('logs.status')}
            value={filters.status ?? ''}
            onChange={(status) => set({ status })}
            choices={[
              { value: '', label: t('logs.status.all') },
              ...STATUSES.map((value) => ({ value: value as string, label: t(`logs.status.${value}`) })),
            ]}
          />
        </div>
        <div className="w-40">
          <Select
            label={t('logs.filter.kind')}
            value={filters.kind ?? ''}
            onChange={(kind) => set({ kind })}
            choices={[
              { value: '', label: t('field.all') },
              ...KINDS.map((value) => ({ value: value as string, label: t(`logs.kind.${value}`) })),
            ]}
          />
        </div>
        <span className="ml-auto text-sm text-mut" role="status">
          {query.data && t('logs.loaded', { n: rows.length })}
        </span>
      </div>
      <Chips filters={filters} onClear={(name) => set({ [name]: '' })} />
      <Card padded={false}>
        {query.isPending ? (
          <Skeleton rows={12} />
        ) : query.error && rows.length === 0 ? (
          <Failure
            title={t('state.error')}
            message={wordsOf(query.error, t)}
            requestId={query.error instanceof ApiError ? query.error.requestId : null}
            onRetry={() => void query.refetch()}
          />
        ) : rows.length === 0 ? (
          narrows(filters) ? (
            <Empty
              title={t('state.empty_filtered')}
              action={<Button onClick={() => void navigate({ search: {} })}>{t('action.clear_filters')}</Button>}
            />
          ) : (
            <Empty
              icon={ListTree}
              title={t('logs.empty')}
              hint={t('logs.empty.hint')}
              action={
                <a href="/keys" className={buttonLook('main')}>
                  {t('nav.keys')}
                </a>
              }
            />
          )
        ) : (
          <LogList rows={rows} openId={openId} onOpen={open} onNearEnd={more} />
        )}
      </Card>
      {openId !== undefined && (
        <LogDrawer
          id={openId}
          known={rows[at]}
          onClose={() => set({ id: '' })}
          onPrevious={at > 0 ? () => open(rows[at - 1]) : undefined}
          onNext={at >= 0 && at < rows.length - 1 ? () => open(rows[at + 1]) : undefined}
          onFilter={(changes) => set({ ...changes, id: '' })}
        />
      )}
    </Page>
  );
}

/** A text filter that asks after a pause, not at each letter. */
function FilterText({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => onChange(typed.trim()), 350);
    return () => clearTimeout(timer);
  }, [typed, value, onChange]);
  return (
    <input
      type="search"
      data-page-filter
      aria-label={label}
      placeholder={label}
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      className="h-9 w-full rounded-md border border-field/60 bg-panel px-3 text-base sm:w-56"
    />
  );
}

const CHIPS = {
  key_id: 'logs.filter.key',
  session_id: 'logs.filter.session',
  platform: 'logs.filter.platform',
} as const;

/** Filters that have no control of their own, each with its way out. */
function Chips({ filters, onClear }: { filters: LogFilters; onClear: (name: keyof typeof CHIPS) => void }) {
  const t = useT();
  const set = (Object.keys(CHIPS) as (keyof typeof CHIPS)[]).filter((name) => filters[name]);
  if (set.length === 0) return null;
  return (
    <ul className="flex flex-wrap gap-2">
      {set.map((name) => (
        <li key={name} className="inline-flex items-center gap-1 rounded-md bg-acc-soft px-2 py-1 text-sm text-acc">
          {t(CHIPS[name])}: <span className="font-mono text-xs">{filters[name]}</span>
          <button
            type="button"
            aria-label={`${t('action.clear_filters')}: ${t(CHIPS[name])}`}
            onClick={() => onClear(name)}
            className="rounded p-1 hover:bg-panel"
          >
            <X className="size-3.5" aria-hidden />
          </button>
        </li>
      ))}
    </ul>
  );
}
