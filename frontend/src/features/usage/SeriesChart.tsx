import { useQuery } from '@tanstack/react-query';
import { ChartColumn } from 'lucide-react';
import { coloursOf, OTHER } from '../../charts/colours';
import { StackedBars } from '../../charts/StackedBars';
import { useSpeech } from '../../i18n';
import { described } from '../../lib/problems';
import { Empty, Failure, Skeleton } from '../../ui';
import { seriesQuery, type Group, type Metric } from './queries';
import type { Range } from './range';
import { bucketLabel, groupName, valueOf, valueWords } from './words';

/** A metric over time, stacked by its largest groups. */
export function SeriesChart({
  title,
  range,
  metric,
  group,
}: {
  title: string;
  range: Range;
  metric: Metric;
  group: Group | null;
}) {
  const { t, language } = useSpeech();
  const query = useQuery(seriesQuery(range, metric, group));
  if (query.error)
    return <Failure title={t('state.error')} {...described(t)(query.error)} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton rows={1} height="h-56" />;
  const { starts, bucket, tz, groups, total } = query.data;
  if (valueOf(total) === 0) return <Empty icon={ChartColumn} title={t('usage.empty')} />;
  const names = groups.map(({ group: found, other }) => groupName(found, other, t));
  const colours = coloursOf(names.filter((_, index) => !groups[index]?.other));
  return (
    <StackedBars
      title={title}
      labels={starts.map((at) => bucketLabel(at, bucket, language, tz))}
      format={(value) => valueWords(metric, value, language)}
      series={groups.map((found, index) => ({
        id: found.other ? 'other' : (found.group?.id ?? names[index] ?? ''),
        name: names[index] ?? '',
        colour: found.other ? OTHER : (colours.get(names[index] ?? '') ?? OTHER),
        values: found.points.map(valueOf),
      }))}
    />
  );
}
