import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Activity, Ellipsis, FlaskConical, Pencil, Plug, Plus, RotateCcw, Trash2 } from 'lucide-react';
import { useMemo, useState } from 'react';
import { api, ApiError, type Credential } from '../../api/client';
import { useT } from '../../i18n';
import { useShortcuts } from '../../lib/keys';
import { wordsOf } from '../../lib/problems';
import {
  Button,
  Card,
  Confirm,
  Empty,
  Failure,
  IconButton,
  Menu,
  Page,
  say,
  Skeleton,
  Switch,
  Table,
  type Column,
} from '../../ui';
import { CredentialDialog } from './CredentialDialog';
import { HealthSheet } from './HealthSheet';
import { HealthStrip } from './HealthStrip';
import { credentialsQuery, healthQuery } from '../status/credentials';
import { StateBadge } from './StateBadge';
import { TestDialog } from './TestDialog';

type Open = { what: 'add' | 'edit' | 'test' | 'health' | 'delete'; credential?: Credential } | null;

const path = (credential: Credential) => ({ params: { path: { credential_id: credential.id } } });

export default function PlatformsPage() {
  const t = useT();
  const client = useQueryClient();
  const query = useInfiniteQuery(credentialsQuery);
  const [open, setOpen] = useState<Open>(null);
  useShortcuts({ n: () => setOpen({ what: 'add' }) });
  const credentials = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const groups = useMemo(() => [...new Set(credentials.map((credential) => credential.platform))], [credentials]);
  const done = {
    onError: (error: unknown, { credential }: { credential: Credential }) =>
      say({
        tone: 'bad',
        title: t('platforms.said.failed', { name: credential.name }),
        description: wordsOf(error, t),
      }),
    // The list alone: the health of one that is gone is no longer there to ask for.
    onSettled: () => client.invalidateQueries({ queryKey: credentialsQuery.queryKey }),
  };
  const enable = useMutation({
    ...done,
    mutationFn: ({ credential, enabled }: { credential: Credential; enabled: boolean }) =>
      api.PATCH('/api/v1/credentials/{credential_id}', { ...path(credential), body: { enabled } }),
    onSuccess: (_, { credential, enabled }) =>
      say({
        title: t(enabled ? 'platforms.said.enabled' : 'platforms.said.disabled', { name: credential.name }),
        undo: { label: t('action.undo'), run: () => enable.mutate({ credential, enabled: !enabled }) },
      }),
  });
  const reset = useMutation({
    ...done,
    mutationFn: ({ credential }: { credential: Credential }) =>
      api.POST('/api/v1/credentials/{credential_id}/reset', path(credential)),
    onSuccess: (_, { credential }) => say({ title: t('platforms.said.reset', { name: credential.name }) }),
  });
  const restore = useMutation({
    ...done,
    mutationFn: ({ credential }: { credential: Credential }) =>
      api.POST('/api/v1/credentials/{credential_id}/restore', path(credential)),
  });
  const remove = useMutation({
    ...done,
    mutationFn: ({ credential }: { credential: Credential }) =>
      api.DELETE('/api/v1/credentials/{credential_id}', path(credential)),
    onSuccess: (_, { credential }) =>
      say({
        title: t('platforms.said.deleted', { name: credential.name }),
        undo: { label: t('action.undo'), run: () => restore.mutate({ credential }) },
      }),
  });

  const columns: Column<Credential>[] = [
    {
      id: 'name',
      head: t('platforms.name'),
      cell: (credential) => <span className="text-base font-medium">{credential.name}</span>,
    },
    { id: 'state', head: t('platforms.state'), cell: (credential) => <StateBadge state={credential.state} /> },
    { id: 'health', head: t('platforms.health'), wide: true, cell: (credential) => <Strip id={credential.id} /> },
    {
      id: 'share',
      head: t('platforms.share'),
      wide: true,
      cell: (credential) => `${credential.priority} / ${credential.weight}`,
    },
    {
      id: 'enabled',
      head: t('platforms.rotation'),
      cell: (credential) => (
        <Switch
          checked={credential.enabled}
          label={`${t('platforms.rotation')}: ${credential.name}`}
          onChange={(enabled) => enable.mutate({ credential, enabled })}
        />
      ),
    },
    {
      id: 'menu',
      head: <span className="sr-only">{t('action.more')}</span>,
      align: 'right',
      cell: (credential) => (
        <span className="inline-flex">
          <IconButton
            icon={FlaskConical}
            size="s"
            label={`${t('action.test')}: ${credential.name}`}
            onClick={() => setOpen({ what: 'test', credential })}
          />
          <Menu
            trigger={<IconButton icon={Ellipsis} size="s" label={`${t('action.more')}: ${credential.name}`} />}
            entries={[
              { label: t('action.edit'), icon: Pencil, onSelect: () => setOpen({ what: 'edit', credential }) },
              {
                label: t('platforms.action.health'),
                icon: Activity,
                onSelect: () => setOpen({ what: 'health', credential }),
              },
              { label: t('platforms.action.reset'), icon: RotateCcw, onSelect: () => reset.mutate({ credential }) },
              null,
              {
                label: t('action.delete'),
                icon: Trash2,
                danger: true,
                onSelect: () => setOpen({ what: 'delete', credential }),
              },
            ]}
          />
        </span>
      ),
    },
  ];
  const add = (
    <Button tone="main" icon={Plus} onClick={() => setOpen({ what: 'add' })}>
      {t('platforms.add')}
    </Button>
  );
  const chosen = open?.credential;
  return (
    <Page title={t('nav.platforms')} lead={t('platforms.lead')} actions={add} refreshing={query.isRefetching}>
      {query.isPending ? (
        <Card padded={false}>
          <Skeleton height="h-12" />
        </Card>
      ) : query.error ? (
        <Card>
          <Failure
            title={t('state.error')}
            message={wordsOf(query.error, t)}
            requestId={query.error instanceof ApiError ? query.error.requestId : null}
            onRetry={() => void query.refetch()}
          />
        </Card>
      ) : credentials.length === 0 ? (
        <Card>
          <Empty icon={Plug} title={t('platforms.empty')} hint={t('platforms.empty.hint')} action={add} />
        </Card>
      ) : (
        groups.map((platform) => {
          const own = credentials.filter((credential) => credential.platform === platform);
          return (
            <Card
              key={platform}
              title={platform}
              padded={false}
              actions={<span className="text-sm text-mut">{t('platforms.count', { n: own.length })}</span>}
            >
              <Table
                label={platform}
                columns={columns}
                rows={own}
                id={(credential) => credential.id}
                muted={(credential) => !credential.enabled}
              />
            </Card>
          );
        })
      )}
      {open?.what === 'add' && <CredentialDialog onClose={() => setOpen(null)} />}
      {open?.what === 'edit' && chosen && <CredentialDialog edited={chosen} onClose={() => setOpen(null)} />}
      {open?.what === 'test' && chosen && <TestDialog tested={chosen} onClose={() => setOpen(null)} />}
      {open?.what === 'health' && chosen && <HealthSheet shown={chosen} onClose={() => setOpen(null)} />}
      {open?.what === 'delete' && chosen && (
        <Confirm
          open
          onClose={() => setOpen(null)}
          title={t('platforms.delete.title', { name: chosen.name })}
          action={t('action.delete')}
          onConfirm={() =>
            remove.mutateAsync({ credential: chosen }).then(
              () => setOpen(null),
              () => setOpen(null),
            )
          }
        >
          {t('platforms.delete.effect')}
        </Confirm>
      )}
    </Page>
  );
}

function Strip({ id }: { id: string }) {
  const health = useQuery(healthQuery(id));
  return health.data ? <HealthStrip halfHours={health.data.half_hours} /> : <span className="text-mut">–</span>;
}
