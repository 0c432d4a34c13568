import { useMutation, useQueryClient, type InfiniteData } from '@tanstack/react-query';
import { api, type ApiKey, type Schema } from '../../api/client';
import { keysQuery } from '../../api/queries';
import { useT } from '../../i18n';
import { wordsOf } from '../../lib/problems';
import { say } from '../../ui';

type Pages = InfiniteData<Schema['Page_KeyView_'], string | undefined>;

const path = (key: ApiKey) => ({ params: { path: { key_id: key.id } } });

/** What is done to keys from their list, with its words and its way back. */
export function useKeyActions() {
  const t = useT();
  const client = useQueryClient();
  const failed = (key: ApiKey) => (error: unknown) =>
    say({ tone: 'bad', title: t('keys.said.failed', { name: key.name }), description: wordsOf(error, t) });

  const enable = useMutation({
    mutationFn: ({ key, enabled }: { key: ApiKey; enabled: boolean }) =>
      api.PATCH('/api/v1/api-keys/{key_id}', { ...path(key), body: { enabled } }),
    // The switch moves at once, and back when the server refuses.
    onMutate: ({ key, enabled }) => {
      const before = client.getQueryData<Pages>(keysQuery().queryKey);
      client.setQueryData<Pages>(
        keysQuery().queryKey,
        (pages) =>
          pages && {
            ...pages,
            pages: pages.pages.map((page) => ({
              ...page,
              items: page.items.map((item) => (item.id === key.id ? { ...item, enabled } : item)),
            })),
          },
      );
      return { before };
    },
    onError: (error, { key }, context) => {
      client.setQueryData(keysQuery().queryKey, context?.before);
      failed(key)(error);
    },
    onSuccess: (_, { key, enabled }) =>
      say({
        title: t(enabled ? 'keys.said.enabled' : 'keys.said.disabled', { name: key.name }),
        undo: { label: t('action.undo'), run: () => enable.mutate({ key, enabled: !enabled }) },
      }),
    onSettled: () => client.invalidateQueries({ queryKey: ['keys'] }),
  });

  const remove = useMutation({
    mutationFn: (key: ApiKey) => api.DELETE('/api/v1/api-keys/{key_id}', path(key)),
    onSuccess: (_, key) => say({ title: t('keys.said.deleted', { name: key.name }) }),
    onError: (error, key) => failed(key)(error),
    onSettled: () => client.invalidateQueries({ queryKey: ['keys'] }),
  });

  return { enable, remove };
}
