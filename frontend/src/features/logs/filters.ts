/** The log's filters as they stand in the address, and as the API takes them. */

export const STATUSES = ['running', 'ok', 'error', 'aborted', 'limited'] as const;
export const KINDS = ['messages', 'count_tokens', 'test'] as const;
export const RANGES = { '1h': 3600, '24h': 86_400, '7d': 604_800 } as const;

export interface LogFilters {
  range?: string;
  status?: string;
  kind?: string;
  platform?: string;
  model?: string;
  key_id?: string;
  session_id?: string;
  q?: string;
  min_duration_ms?: string;
  min_cost?: string;
  /** The row whose drawer is open. */
  id?: string;
}

const NAMES = [
  'range',
  'status',
  'kind',
  'platform',
  'model',
  'key_id',
  'session_id',
  'q',
  'min_duration_ms',
  'min_cost',
  'id',
] as const satisfies (keyof LogFilters)[];

export function readLogFilters(search: Record<string, unknown>): LogFilters {
  return Object.fromEntries(NAMES.flatMap((name) => (search[name] ? [[name, String(search[name])]] : [])));
}

const one = <Value extends string>(known: readonly Value[], value: string | undefined): Value | undefined =>
  known.find((name) => name === value);

/** The filters as the API's query; a range becomes the moment it begins, whole minutes so that pages fit together. */
export function apiQuery(filters: LogFilters, now: number) {
  const seconds = RANGES[filters.range as keyof typeof RANGES];
  const status = one(STATUSES, filters.status);
  const kind = one(KINDS, filters.kind);
  return {
    ...(seconds && { from: new Date(Math.floor(now / 60_000) * 60_000 - seconds * 1000).toISOString() }),
    ...(status && { status: [status] }),
    ...(kind && { kind: [kind] }),
    ...(filters.platform && { platform: [filters.platform] }),
    ...(filters.model && { model: [filters.model] }),
    ...(filters.key_id && { key_id: [filters.key_id] }),
    ...(filters.session_id && { session_id: [filters.session_id] }),
    ...(filters.q && { q: filters.q }),
    ...(filters.min_duration_ms && { min_duration_ms: Number(filters.min_duration_ms) }),
    ...(filters.min_cost && { min_cost: filters.min_cost }),
  };
}

/** Whether anything but the open row narrows the list. */
export const narrows = (filters: LogFilters): boolean =>
  Object.entries(filters).some(([name, value]) => name !== 'id' && Boolean(value));
