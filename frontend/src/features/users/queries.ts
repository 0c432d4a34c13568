import { infiniteQueryOptions } from '@tanstack/react-query';
import { api, data, type Schema } from '../../api/client';

export type User = Schema['UserView'];

export const usersQuery = (q: string, status: 'active' | 'pending' | 'disabled' | undefined) =>
  infiniteQueryOptions({
    queryKey: ['users', { q, status }],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      data(
        api.GET('/api/v1/users', {
          params: {
            query: { limit: 100, ...(q && { q }), ...(status && { status }), ...(pageParam && { cursor: pageParam }) },
          },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
