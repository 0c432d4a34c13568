import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useIsAdmin } from '../../app/session';
import { coloursOf, OTHER } from '../../charts/colours';
import { useSpeech } from '../../i18n';
import { money, percent } from '../../lib/format';
import { described } from '../../lib/problems';
import { Card, Failure, Page, Segments, Select, Skeleton, Table, type Column } from '../../ui';
import type { Schema } from '../../api/client';
import { Figures } from './Figures';
import { breakdownQuery, METRICS, summaryQuery, type Group, type Metric } from './queries';
import { RANGES, readRange } from './range';
import { SeriesChart } from './SeriesChart';
import { groupName, valueOf, valueWords } from './words';

const GROUPS: readonly Group[] = ['model', 'key', 'user', 'platform', 'credential'];
const MEMBERS_GROUPS: readonly Group[] = ['model', 'key', 'platform'];

/** The log's filter for each group that it can be filtered by. */
const FILTERS: Partial<Record<Group, string>> = { model: 'model', key: 'key_id', platform: 'platform' };

type Row = Schema['BreakdownRow'];

export default function UsagePage() {
  const { t, language } = useSpeech();
  const isAdmin = useIsAdmin();
  const navigate = useNavigate({ from: '/usage' });
  const search = useSearch({ from: '/shell/usage' });
  const range = readRange(search.range, '7d');
  const metric: Metric = METRICS.find((known) => known === search.metric) ?? 'cost';
  const choices = isAdmin ? GROUPS : MEMBERS_GROUPS;
  const group = choices.find((known) => known === search.group) ?? 'model';
  const second = choices.find((known) => known === search.by && known !== group) ?? null;
  const set = (changes: Partial<typeof search>) => void navigate({ search: { ...search, ...changes }, replace: true });
  const summary = useQuery(summaryQuery(range));
  const breakdown = useQuery(breakdownQuery(range, metric, second ? [group, second] : [group]));

  const rows = breakdown.data?.rows ?? [];
  const colours = coloursOf(
    [...new Set(rows.filter((row) => !row.other).map((row) => groupName(row.groups[0] ?? null, false, t)))].slice(0, 7),
  );
  const columns: Column<Row>[] = [
    {
      id: 'name',
      head: t(`usage.group.${group}`),
      cell: (row) => {
        const name = groupName(row.groups[0] ?? null, row.other, t);
        return (
          <span className="inline-flex items-center gap-2">
            <span
              className="size-2.5 shrink-0 rounded-full"
              style={{ background: colours.get(name) ?? OTHER }}
              aria-hidden
            />
            {name}
          </span>
        );
      },
    },
    ...(second
      ? [
          {
            id: 'then',
            head: t(`usage.group.${second}`),
            cell: (row: Row) => (row.other ? '' : groupName(row.groups[1] ?? null, false, t)),
          },
        ]
      : []),
    {
      id: 'value',
      head: t(`usage.metric.${metric}`),
      align: 'right',
      cell: (row) => valueWords(metric, row.measure.value ?? 0, language),
    },
    {
      id: 'share',
      head: t('usage.share'),
      wide: true,
      cell: (row) => (
        <span className="flex items-center gap-2">
          <span className="h-1.5 w-28 overflow-hidden rounded-full bg-soft" aria-hidden>
            <span className="block h-full rounded-full bg-acc" style={{ width: `${(row.share ?? 0) * 100}%` }} />
          </span>
          {row.share === null ? '–' : percent(row.share)}
        </span>
      ),
    },
    {
      id: 'logs',
      head: <span className="sr-only">{t('usage.logs')}</span>,
      align: 'right',
      cell: (row) => {
        const id = row.groups[0]?.id;
        const filter = FILTERS[group];
        return row.other || !id || !filter ? null : (
          <Link to="/logs" search={{ [filter]: id }} className="text-acc underline">
            {t('usage.logs')}
          </Link>
        );
      },
    },
  ];
  const forecast = summary.data?.forecast;
  return (
    <Page
      title={t(isAdmin ? 'nav.usage' : 'nav.my_usage')}
      lead={t('usage.lead')}
      refreshing={breakdown.isRefetching}
      actions={
        <Segments
          label={t('range.label')}
          value={range}
          onChange={(next) => set({ range: next })}
          choices={RANGES.map((value) => ({ value, label: t(`range.${value}`) }))}
        />
      }
    >
      <Figures range={range} all />
      {forecast && (
        <p className="text-base text-mut">
          {t('usage.forecast', { expected: money(forecast.expected), spent: money(forecast.spent) })}
        </p>
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Segments
          label={t('usage.metric')}
          value={metric}
          onChange={(next) => set({ metric: next })}
          choices={METRICS.map((value) => ({ value, label: t(`usage.metric.${value}`) }))}
        />
        <span className="text-base text-mut">{t('usage.group')}</span>
        <div className="w-36">
          <Select
            label={t('usage.group')}
            value={group}
            onChange={(next) => set({ group: next })}
            choices={choices.map((value) => ({ value, label: t(`usage.group.${value}`) }))}
          />
        </div>
        <span className="text-base text-mut">{t('usage.then')}</span>
        <div className="w-36">
          <Select
            label={t('usage.then')}
            value={second ?? ''}
            onChange={(next) => set({ by: next })}
            choices={[
              { value: '', label: t('usage.then.none') },
              ...choices
                .filter((value) => value !== group)
                .map((value) => ({ value: value as string, label: t(`usage.group.${value}`) })),
            ]}
          />
        </div>
      </div>
      <Card title={t(`usage.metric.${metric}`)}>
        <SeriesChart title={t(`usage.metric.${metric}`)} range={range} metric={metric} group={group} />
        {summary.data && <p className="mt-2 text-xs text-mut">{t('usage.zone', { zone: summary.data.tz })}</p>}
      </Card>
      <Card title={t('usage.breakdown')} padded={false}>
        {breakdown.error ? (
          <Failure
            title={t('state.error')}
            {...described(t)(breakdown.error)}
            onRetry={() => void breakdown.refetch()}
          />
        ) : breakdown.data ? (
          <Table
            label={t('usage.breakdown')}
            columns={columns}
            rows={rows.filter((row) => valueOf(row.measure) > 0)}
            id={(row) => (row.other ? 'other' : row.groups.map((found) => found.id ?? found.name ?? '').join(' '))}
          />
        ) : (
          <Skeleton />
        )}
      </Card>
    </Page>
  );
}
