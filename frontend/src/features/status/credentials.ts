import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, data } from '../../api/client';

export const credentialsQuery = infiniteQueryOptions({
  queryKey: ['credentials', 'list'],
  initialPageParam: undefined as string | undefined,
  queryFn: ({ pageParam }) =>
    data(
      api.GET('/api/v1/credentials', { params: { query: { limit: 200, ...(pageParam && { cursor: pageParam }) } } }),
    ),
  getNextPageParam: (page) => page.next_cursor ?? undefined,
  refetchInterval: 30_000,
});

export const healthQuery = (id: string) =>
  queryOptions({
    queryKey: ['credentials', 'health', id],
    queryFn: () =>
      data(api.GET('/api/v1/credentials/{credential_id}/health', { params: { path: { credential_id: id } } })),
    staleTime: 60_000,
  });
