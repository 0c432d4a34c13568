import { useQuery } from '@tanstack/react-query';
import { api, setCsrfToken, type Me } from '../api/client';
import { meQuery, queryClient } from '../api/queries';

/** Who is signed in. Only for what stands inside the shell: there somebody is. */
export function useMe(): Me {
  const { data } = useQuery(meQuery);
  if (data === undefined) throw new Error('nobody is signed in here');
  return data;
}

export const useIsAdmin = (): boolean => useMe().role === 'admin';

export async function signIn(username: string, password: string): Promise<void> {
  const { data } = await api.POST('/api/v1/auth/login', { body: { username, password } });
  if (data === undefined) throw new Error('the router answered without a user');
  setCsrfToken(data.user.csrf_token);
  queryClient.setQueryData(meQuery.queryKey, data.user);
}

export async function signOut(): Promise<void> {
  await api.POST('/api/v1/auth/logout');
  setCsrfToken('');
  queryClient.clear();
}
