import type { LogRow } from '../../api/client';

export interface Stage {
  id: 'admission_ms' | 'queue_ms' | 'failed' | 'connect_ms' | 'first_token_ms' | 'generation_ms' | 'other';
  ms: number;
}

/** Where a request's time went; the stages sum up to its duration. */
export function stagesOf(row: LogRow): Stage[] {
  const failed = row.attempts
    .filter((attempt) => attempt.outcome !== 'ok')
    .reduce((sum, attempt) => sum + attempt.ms, 0);
  const known: Stage[] = (['admission_ms', 'queue_ms', 'connect_ms', 'first_token_ms', 'generation_ms'] as const).map(
    (id) => ({
      id,
      ms: row.timings[id] ?? 0,
    }),
  );
  const rest = Math.max(0, row.duration_ms - known.reduce((sum, stage) => sum + stage.ms, 0));
  const lost = Math.min(failed, rest);
  return [
    ...known.slice(0, 2),
    { id: 'failed' as const, ms: lost },
    ...known.slice(2),
    { id: 'other' as const, ms: rest - lost },
  ].filter((stage) => stage.ms > 0);
}

export const inputOf = (row: LogRow): number =>
  row.usage === null
    ? 0
    : row.usage.input_tokens +
      row.usage.cache_read_tokens +
      row.usage.cache_write_5m_tokens +
      row.usage.cache_write_1h_tokens;

/** Output tokens per second of generation; null where there is nothing to divide. */
export function speedOf(row: LogRow): number | null {
  const seconds = (row.timings.generation_ms ?? 0) / 1000;
  return row.usage === null || row.usage.output_tokens === 0 || seconds <= 0 ? null : row.usage.output_tokens / seconds;
}
