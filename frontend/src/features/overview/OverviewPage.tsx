import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Circle, CircleCheck } from 'lucide-react';
import type { ReactNode } from 'react';
import { api, data } from '../../api/client';
import { keysQuery } from '../../api/queries';
import { useIsAdmin } from '../../app/session';
import { useSpeech } from '../../i18n';
import { moment, relative } from '../../lib/format';
import { described } from '../../lib/problems';
import { Card, Failure, Notice, Page, Segments, Skeleton } from '../../ui';
import { StatusBadge } from '../status/StatusBadge';
import { credentialsQuery } from '../status/credentials';
import { Figures } from '../usage/Figures';
import { breakdownQuery, summaryQuery } from '../usage/queries';
import { periodOf, readRange, type Range } from '../usage/range';
import { SeriesChart } from '../usage/SeriesChart';
import { groupName, valueWords } from '../usage/words';

const CHOICES = ['24h', '7d', '30d'] as const;

export default function OverviewPage() {
  const { t } = useSpeech();
  const isAdmin = useIsAdmin();
  const navigate = useNavigate({ from: '/' });
  const search = useSearch({ from: '/shell/' });
  const range = readRange(search.range, '24h');
  return (
    <Page
      title={t(isAdmin ? 'nav.overview' : 'nav.home')}
      lead={t('overview.lead')}
      actions={
        <Segments
          label={t('range.label')}
          value={range}
          onChange={(next) => void navigate({ search: { range: next }, replace: true })}
          choices={CHOICES.map((value) => ({ value: value as Range, label: t(`range.${value}`) }))}
        />
      }
    >
      {isAdmin && <Incidents range={range} />}
      <FirstSteps isAdmin={isAdmin} />
      <Figures range={range} />
      <div className="grid gap-4 lg:grid-cols-[2fr_1fr]">
        <Card title={t('overview.cost_by_model')}>
          <SeriesChart title={t('overview.cost_by_model')} range={range} metric="cost" group="model" />
        </Card>
        <div className="flex min-w-0 flex-col gap-4">
          {isAdmin && <Platforms />}
          <TopKeys range={range} />
        </div>
      </div>
      <Failures range={range} />
    </Page>
  );
}

/** One line, and only where something is wrong. */
function Incidents({ range }: { range: Range }) {
  const { t } = useSpeech();
  const credentials = useInfiniteQuery(credentialsQuery).data?.pages.flatMap((page) => page.items) ?? [];
  const unpriced = useQuery(summaryQuery(range)).data?.unpriced ?? [];
  const blocked = credentials.filter(({ state }) => state.status === 'blocked').length;
  const cooling = credentials.filter(({ state }) => state.status === 'cooling').length;
  const open = (
    <Link to="/platforms" className="font-medium underline">
      {t('overview.open_platforms')}
    </Link>
  );
  return (
    <>
      {blocked > 0 && (
        <Notice tone="bad" action={open}>
          {t('overview.incident.blocked', { n: blocked })}
        </Notice>
      )}
      {cooling > 0 && <Notice action={open}>{t('overview.incident.cooling', { n: cooling })}</Notice>}
      {unpriced.length > 0 && (
        <Notice>{t('overview.incident.unpriced', { models: unpriced.map(({ model }) => model).join(', ') })}</Notice>
      )}
    </>
  );
}

/** What remains to be done before the first request; gone when all of it is. */
function FirstSteps({ isAdmin }: { isAdmin: boolean }) {
  const { t } = useSpeech();
  const credentials = useInfiniteQuery({ ...credentialsQuery, enabled: isAdmin });
  const keys = useInfiniteQuery(keysQuery());
  const first = useQuery({
    queryKey: ['logs', 'any'],
    queryFn: () => data(api.GET('/api/v1/logs', { params: { query: { limit: 1, kind: ['messages'] } } })),
  });
  if (!keys.data || !first.data || (isAdmin && !credentials.data)) return null;
  const steps: [boolean, string, ReactNode][] = [
    ...(isAdmin
      ? [
          [(credentials.data?.pages[0]?.items.length ?? 0) > 0, '/platforms', t('overview.begin.credential')] as [
            boolean,
            string,
            ReactNode,
          ],
        ]
      : []),
    [(keys.data.pages[0]?.items.length ?? 0) > 0, '/keys', t('overview.begin.key')],
    [first.data.items.length > 0, '/keys', t('overview.begin.request')],
  ];
  if (steps.every(([done]) => done)) return null;
  return (
    <Card title={t('overview.begin')}>
      <ol className="flex flex-col gap-2 text-base">
        {steps.map(([done, to, words]) => (
          <li key={String(words)} className="flex items-center gap-2">
            {done ? (
              <CircleCheck className="size-4 text-ok" aria-hidden />
            ) : (
              <Circle className="size-4 text-mut" aria-hidden />
            )}
            {done ? (
              <span className="text-mut">
                {words} <span className="sr-only">({t('overview.begin.done')})</span>
              </span>
            ) : (
              <Link to={to} className="text-acc underline">
                {words}
              </Link>
            )}
          </li>
        ))}
      </ol>
    </Card>
  );
}

function Platforms() {
  const { t } = useSpeech();
  const credentials = useInfiniteQuery(credentialsQuery).data?.pages.flatMap((page) => page.items) ?? [];
  const names = [...new Set(credentials.map(({ platform }) => platform))];
  if (names.length === 0) return null;
  return (
    <Card title={t('overview.platforms')}>
      <ul className="flex flex-col gap-2 text-base">
        {names.map((name) => {
          const own = credentials.filter(({ platform }) => platform === name);
          const ready = own.filter(({ state }) => state.status === 'ready').length;
          return (
            <li key={name} className="flex items-center gap-2">
              {ready === own.length ? (
                <CircleCheck className="size-4 text-ok" aria-hidden />
              ) : (
                <Circle className="size-4 text-warn" aria-hidden />
              )}
              <Link to="/platforms" className="rounded underline-offset-2 hover:underline">
                {name}
              </Link>
              <span className="ml-auto text-sm text-mut">{t('overview.healthy', { ready, n: own.length })}</span>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

function TopKeys({ range }: { range: Range }) {
  const { t, language } = useSpeech();
  const query = useQuery(breakdownQuery(range, 'cost', ['key'], 5));
  return (
    <Card title={t('overview.top_keys')}>
      {query.data ? (
        <ol className="flex flex-col gap-2 text-base">
          {query.data.rows.map((row) => (
            <li key={row.groups[0]?.id ?? 'other'} className="flex items-center gap-2">
              <span className="truncate">{groupName(row.groups[0] ?? null, row.other, t)}</span>
              <span className="ml-auto font-medium">{valueWords('cost', row.measure.value ?? 0, language)}</span>
            </li>
          ))}
          {query.data.rows.length === 0 && <li className="text-mut">{t('usage.empty')}</li>}
        </ol>
      ) : query.error ? (
        <Failure title={t('state.error')} {...described(t)(query.error)} onRetry={() => void query.refetch()} />
      ) : (
        <Skeleton rows={3} height="h-5" />
      )}
    </Card>
  );
}

function Failures({ range }: { range: Range }) {
  const { t, language } = useSpeech();
  const query = useQuery({
    queryKey: ['logs', 'failures', range],
    queryFn: () =>
      data(api.GET('/api/v1/logs', { params: { query: { status: ['error'], limit: 5, from: periodOf(range).from } } })),
    refetchInterval: 30_000,
  });
  return (
    <Card
      title={t('overview.failures')}
      actions={
        <Link to="/logs" search={{ status: 'error' }} className="text-sm text-acc underline">
          {t('overview.failures.all')}
        </Link>
      }
    >
      {query.data ? (
        <ul className="flex flex-col gap-2 text-sm">
          {query.data.items.length === 0 && <li className="text-mut">{t('overview.failures.none')}</li>}
          {query.data.items.map((row) => (
            <li key={row.id} className="flex flex-wrap items-center gap-3">
              <time dateTime={row.at} title={moment(row.at, language)} className="w-28 text-mut">
                {relative(row.at, language)}
              </time>
              <StatusBadge row={row} />
              <Link
                to="/logs"
                search={{ id: row.id }}
                className="min-w-0 flex-1 truncate rounded underline-offset-2 hover:underline"
              >
                {row.error?.message ?? row.requested_model}
              </Link>
              <span className="text-mut">{row.key?.name}</span>
              <span className="text-mut">{row.platform}</span>
            </li>
          ))}
        </ul>
      ) : query.error ? (
        <Failure title={t('state.error')} {...described(t)(query.error)} onRetry={() => void query.refetch()} />
      ) : (
        <Skeleton rows={3} height="h-5" />
      )}
    </Card>
  );
}
