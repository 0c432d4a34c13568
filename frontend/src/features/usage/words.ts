import type { Schema } from '../../api/client';
import type { Translate } from '../../i18n';
import { exact, money, tokens } from '../../lib/format';
import type { Metric } from './queries';

export const valueOf = (measure: Schema['Measure']): number => Number(measure.value ?? 0);

/** A value of a metric in words. */
export function valueWords(metric: Metric, value: number | string, language: string): string {
  if (metric === 'cost')
    return money(typeof value === 'string' ? value : value.toFixed(6), Number(value) > 0 && Number(value) < 1 ? 4 : 2);
  return metric === 'tokens' ? tokens(Math.round(Number(value))) : exact(Number(value), language);
}

export function groupName(group: Schema['GroupView'] | null, other: boolean, t: Translate): string {
  if (other) return t('usage.other');
  return group?.name ?? group?.id ?? t('usage.nobody');
}

/** A bucket's time below its bar, in the zone of the statistics. */
export function bucketLabel(at: string, bucket: string, language: string, timeZone: string): string {
  return new Intl.DateTimeFormat(
    language,
    bucket === 'hour'
      ? { day: '2-digit', hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone }
      : { month: '2-digit', day: '2-digit', timeZone },
  ).format(new Date(at));
}

/** The change against a former value: «+12%», or null where there is none to compare with. */
export function changeOf(now: number, before: number): string | null {
  if (before === 0) return null;
  const share = (now - before) / before;
  return `${share > 0 ? '+' : ''}${(share * 100).toFixed(Math.abs(share) < 0.1 ? 1 : 0)}%`;
}
