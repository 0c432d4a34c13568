/** The way to the admin API: typed by its description, with the page's session and CSRF token. */
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schema = components['schemas'];
export type Me = Schema['MeView'];
export type ApiKey = Schema['KeyView'];
export type NewKey = Schema['NewKeyView'];
export type Credential = Schema['CredentialView'];
export type LogRow = Schema['LogView'];
export type Platform = Schema['PlatformView'];

export interface FieldError {
  field: string;
  code: string;
  message: string;
}

/** An answer that is no success, as RFC 9457 describes it; `status` 0 where no answer came at all. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;
  readonly errors: FieldError[];
  readonly retryAfterS: number | null;

  constructor(status: number, problem: Partial<Schema['ProblemDocument']>, retryAfterS: number | null = null) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = problem.code ?? (status === 0 ? 'unreachable' : 'unknown');
    this.requestId = problem.request_id ?? null;
    this.errors = problem.errors ?? [];
    this.retryAfterS = retryAfterS;
  }
}

let csrfToken = '';

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

const session: Middleware = {
  onRequest({ request }) {
    if (!['GET', 'HEAD'].includes(request.method) && csrfToken) request.headers.set('X-CSRF-Token', csrfToken);
    return request;
  },
  async onResponse({ response }) {
    if (response.ok) return;
    const retryAfter = Number(response.headers.get('retry-after'));
    let problem: Partial<Schema['ProblemDocument']> = { title: response.statusText };
    if (response.headers.get('content-type')?.includes('json')) {
      problem = (await response.clone().json()) as Partial<Schema['ProblemDocument']>;
    }
    throw new ApiError(response.status, problem, Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null);
  },
  onError({ error }) {
    return error instanceof ApiError ? error : new ApiError(0, { title: String(error) });
  },
};

// The page's own origin in full: a bare "/" fails where there is no document base, as in tests.
export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? 'http://localhost',
  // Looked up at each call: tests put another one in its place.
  fetch: (request) => globalThis.fetch(request),
});
api.use(session);

/** The data of an answer; every failure has been thrown as ApiError before. */
export async function data<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
  return (await call).data as T;
}
