/** Periods that the statistics are asked for. Whole hours, so that the sums are exact. */
export const RANGES = ['24h', '7d', '30d', 'month'] as const;
export type Range = (typeof RANGES)[number];

export const readRange = (value: unknown, fallback: Range): Range =>
  RANGES.find((known) => known === value) ?? fallback;

const HOUR = 3_600_000;
const HOURS: Record<Exclude<Range, 'month'>, number> = { '24h': 24, '7d': 24 * 7, '30d': 24 * 30 };

export function periodOf(range: Range, now: Date = new Date()) {
  const to = new Date(Math.ceil((now.getTime() + 1) / HOUR) * HOUR);
  const from =
    range === 'month'
      ? new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1))
      : new Date(to.getTime() - HOURS[range] * HOUR);
  return {
    from: from.toISOString(),
    to: to.toISOString(),
    bucket: range === '24h' ? ('hour' as const) : ('day' as const),
  };
}
