import { queryOptions } from '@tanstack/react-query';
import { api, data } from '../../api/client';
import { periodOf, type Range } from './range';

export type Metric = 'cost' | 'requests' | 'tokens' | 'errors';
export const METRICS: readonly Metric[] = ['cost', 'requests', 'tokens', 'errors'];
export type Group = 'model' | 'key' | 'user' | 'platform' | 'credential';

const MINUTE = 60_000;

export const summaryQuery = (range: Range) =>
  queryOptions({
    queryKey: ['stats', 'summary', range],
    queryFn: () => {
      const { from, to } = periodOf(range);
      return data(
        api.GET('/api/v1/stats/summary', { params: { query: { from, to, compare: 'previous', forecast: true } } }),
      );
    },
    refetchInterval: MINUTE,
  });

export const seriesQuery = (range: Range, metric: Metric, group: Group | null, top = 6) =>
  queryOptions({
    queryKey: ['stats', 'series', range, metric, group, top],
    queryFn: () => {
      const { from, to, bucket } = periodOf(range);
      return data(
        api.GET('/api/v1/stats/series', {
          params: { query: { from, to, bucket, metric, top, ...(group && { group_by: group }) } },
        }),
      );
    },
    refetchInterval: MINUTE,
  });

export const breakdownQuery = (range: Range, metric: Metric, groups: Group[], limit = 50) =>
  queryOptions({
    queryKey: ['stats', 'breakdown', range, metric, groups, limit],
    queryFn: () => {
      const { from, to } = periodOf(range);
      return data(
        api.GET('/api/v1/stats/breakdown', { params: { query: { from, to, metric, group_by: groups, limit } } }),
      );
    },
    refetchInterval: MINUTE,
  });
