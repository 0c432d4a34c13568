/** Every query of the product with its key: what is fetched once is known everywhere. */
import { infiniteQueryOptions, queryOptions, QueryClient } from '@tanstack/react-query';
import { api, ApiError, data, setCsrfToken } from './client';

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // A refusal stays one; only what may pass by itself is asked again.
      retry: (count, error) => count < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
      refetchOnWindowFocus: true,
    },
  },
});

export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: async () => {
    const me = await data(api.GET('/api/v1/auth/me'));
    setCsrfToken(me.csrf_token);
    return me;
  },
  staleTime: 60_000,
});

export const metaQuery = queryOptions({
  queryKey: ['meta'],
  queryFn: () => data(api.GET('/api/v1/meta')),
  staleTime: Infinity,
});

export const platformsQuery = queryOptions({
  queryKey: ['platforms'],
  queryFn: () => data(api.GET('/api/v1/platforms')),
  staleTime: 300_000,
});

export const keysQuery = (deleted = false) =>
  infiniteQueryOptions({
    queryKey: ['keys', { deleted }],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      data(
        api.GET('/api/v1/api-keys', {
          params: { query: { limit: 200, deleted, ...(pageParam && { cursor: pageParam }) } },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
