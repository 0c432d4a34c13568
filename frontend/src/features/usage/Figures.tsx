import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ArrowDownRight, ArrowUpRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { Sparkline } from '../../charts/Sparkline';
import { useSpeech } from '../../i18n';
import { duration, exact, money, percent, tokens } from '../../lib/format';
import { described } from '../../lib/problems';
import { Failure, Skeleton } from '../../ui';
import { seriesQuery, summaryQuery } from './queries';
import type { Range } from './range';
import { changeOf, valueOf } from './words';

interface FigureProps {
  label: string;
  value: ReactNode;
  title?: string | undefined;
  change?: string | null;
  /** Whether more is worse; null where neither direction is. */
  worse?: 'more' | 'less' | null;
  shape?: number[] | undefined;
  link?: ReactNode;
}

function Figure({ label, value, title, change, worse = null, shape, link }: FigureProps) {
  const { t } = useSpeech();
  const up = change?.startsWith('+');
  const tone = worse === null || !change ? 'text-mut' : (worse === 'more') === up ? 'text-bad' : 'text-ok';
  const Icon = up ? ArrowUpRight : ArrowDownRight;
  return (
    <div className="relative flex min-w-0 flex-col gap-1 rounded-lg border border-line bg-panel p-4">
      <dt className="text-sm text-mut">{label}</dt>
      <dd className="flex items-end justify-between gap-2">
        <span title={title} className="text-xl font-semibold">
          {value}
        </span>
        {shape && <Sparkline values={shape} />}
      </dd>
      <dd className={`flex items-center gap-1 text-xs ${tone}`}>
        {change && <Icon className="size-3.5" aria-hidden />}
        {change ? t('kpi.change', { change }) : '\u00a0'}
      </dd>
      {link && <dd>{link}</dd>}
    </div>
  );
}

const cover = 'absolute inset-0 rounded-lg';

/** The figures of a period, each against the one before, each a link to what explains it. */
export function Figures({ range, all = false }: { range: Range; all?: boolean }) {
  const { t, language } = useSpeech();
  const query = useQuery(summaryQuery(range));
  const cost = useQuery(seriesQuery(range, 'cost', null));
  const requests = useQuery(seriesQuery(range, 'requests', null));
  if (query.error)
    return <Failure title={t('state.error')} {...described(t)(query.error)} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton rows={1} height="h-24" />;
  const now = query.data;
  const before = now.previous;
  const usage = (metric: string, label: string) => (
    <Link to="/usage" search={{ range, metric }} aria-label={label} className={cover} />
  );
  return (
    <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Figure
        label={t('kpi.cost')}
        value={money(now.cost.total)}
        title={`$${now.cost.total}`}
        change={before && changeOf(Number(now.cost.total), Number(before.cost.total))}
        shape={cost.data?.groups[0]?.points.map(valueOf)}
        link={usage('cost', t('kpi.cost'))}
      />
      <Figure
        label={t('kpi.requests')}
        value={exact(now.requests, language)}
        change={before && changeOf(now.requests, before.requests)}
        shape={requests.data?.groups[0]?.points.map(valueOf)}
        link={usage('requests', t('kpi.requests'))}
      />
      <Figure
        label={t('kpi.success')}
        value={now.success_rate === null ? '–' : percent(now.success_rate, 2)}
        change={
          before && now.success_rate !== null && before.success_rate
            ? changeOf(now.success_rate, before.success_rate)
            : null
        }
        worse="less"
        link={<Link to="/logs" search={{ status: 'error' }} aria-label={t('kpi.success')} className={cover} />}
      />
      <Figure
        label={t('kpi.latency')}
        value={now.latency.p95_ms === null ? '–' : duration(now.latency.p95_ms)}
        change={
          before && now.latency.p95_ms !== null && before.latency.p95_ms
            ? changeOf(now.latency.p95_ms, before.latency.p95_ms)
            : null
        }
        worse="more"
      />
      {all && (
        <>
          <Figure
            label={t('kpi.tokens')}
            value={tokens(now.tokens.total)}
            title={exact(now.tokens.total, language)}
            change={before && changeOf(now.tokens.total, before.tokens.total)}
            link={usage('tokens', t('kpi.tokens'))}
          />
          <Figure
            label={t('kpi.cache')}
            value={now.cache_hit_rate === null ? '–' : percent(now.cache_hit_rate)}
            change={
              before && now.cache_hit_rate !== null && before.cache_hit_rate
                ? changeOf(now.cache_hit_rate, before.cache_hit_rate)
                : null
            }
            worse="less"
          />
          <Figure label={t('kpi.savings')} value={money(now.cache_savings)} title={`$${now.cache_savings}`} />
          <Figure
            label={t('kpi.ttft')}
            value={now.latency.ttft_mean_ms === null ? '–' : duration(now.latency.ttft_mean_ms)}
            worse="more"
          />
        </>
      )}
    </dl>
  );
}
