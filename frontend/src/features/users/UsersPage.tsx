import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import {
  CircleCheck,
  Ellipsis,
  LogOut,
  Pause,
  Pencil,
  Play,
  Plus,
  Shield,
  ShieldOff,
  Trash2,
  UserCheck,
  Users,
} from 'lucide-react';
import { useState } from 'react';
import { api } from '../../api/client';
import { useSpeech } from '../../i18n';
import { money, moment, relative } from '../../lib/format';
import { useShortcuts } from '../../lib/keys';
import { described, wordsOf } from '../../lib/problems';
import {
  Badge,
  Button,
  Card,
  Confirm,
  Empty,
  IconButton,
  ListStates,
  Menu,
  Page,
  say,
  SearchInput,
  Segments,
  Table,
  type Column,
} from '../../ui';
import { UserDialog } from './UserDialog';
import { usersQuery, type User } from './queries';

const STATUSES = ['active', 'pending', 'disabled'] as const;
type Status = (typeof STATUSES)[number];
type Open = { what: 'add' | 'edit' | 'role' | 'delete'; user?: User } | null;

const path = (user: User) => ({ params: { path: { user_id: user.id } } });

export default function UsersPage() {
  const { t, language } = useSpeech();
  const client = useQueryClient();
  const [q, setQ] = useState('');
  const [status, setStatus] = useState<Status | 'all'>('all');
  const [open, setOpen] = useState<Open>(null);
  const query = useInfiniteQuery(usersQuery(q, status === 'all' ? undefined : status));
  const users = query.data?.pages.flatMap((page) => page.items) ?? [];
  useShortcuts({ n: () => setOpen({ what: 'add' }) });

  const after = {
    onError: (error: unknown, { user }: { user: User }) =>
      say({ tone: 'bad', title: t('users.said.failed', { login: user.login }), description: wordsOf(error, t) }),
    onSettled: () => client.invalidateQueries({ queryKey: ['users'] }),
  };
  const setState = useMutation({
    ...after,
    mutationFn: ({ user, next }: { user: User; next: 'active' | 'disabled' }) =>
      api.PATCH('/api/v1/users/{user_id}', { ...path(user), body: { status: next } }),
    onSuccess: (_, { user, next }) =>
      say({
        title: t(next === 'active' ? 'users.said.enabled' : 'users.said.disabled', { login: user.login }),
        undo: {
          label: t('action.undo'),
          run: () => setState.mutate({ user, next: next === 'active' ? 'disabled' : 'active' }),
        },
      }),
  });
  const setRole = useMutation({
    ...after,
    mutationFn: ({ user, role }: { user: User; role: 'admin' | 'member' }) =>
      api.PATCH('/api/v1/users/{user_id}', { ...path(user), body: { role } }),
    onSuccess: (_, { user }) => say({ title: t('users.said.saved', { login: user.login }) }),
  });
  const signOut = useMutation({
    ...after,
    mutationFn: ({ user }: { user: User }) => api.POST('/api/v1/users/{user_id}/sign-out', path(user)),
    onSuccess: (_, { user }) => say({ title: t('users.said.signed_out', { login: user.login }) }),
  });
  const restore = useMutation({
    ...after,
    mutationFn: ({ user }: { user: User }) => api.POST('/api/v1/users/{user_id}/restore', path(user)),
  });
  const remove = useMutation({
    ...after,
    mutationFn: ({ user }: { user: User }) => api.DELETE('/api/v1/users/{user_id}', path(user)),
    onSuccess: (_, { user }) =>
      say({
        title: t('users.said.deleted', { login: user.login }),
        undo: { label: t('action.undo'), run: () => restore.mutate({ user }) },
      }),
  });

  const columns: Column<User>[] = [
    {
      id: 'login',
      head: t('users.login'),
      cell: (user) => (
        <span className="flex items-center gap-2">
          <span
            className="inline-flex size-8 shrink-0 items-center justify-center rounded-full bg-acc-soft text-sm font-semibold text-acc"
            aria-hidden
          >
            {(user.name ?? user.login).slice(0, 1).toUpperCase()}
          </span>
          <span className="flex min-w-0 flex-col">
            <span className="text-base font-medium">{user.name ?? user.login}</span>
            <span className="text-xs text-mut">{[user.login, user.email].filter(Boolean).join(' · ')}</span>
          </span>
        </span>
      ),
    },
    {
      id: 'role',
      head: t('users.role'),
      cell: (user) => (
        <Badge tone={user.role === 'admin' ? 'acc' : 'plain'}>
          {t(user.role === 'admin' ? 'role.admin' : 'role.member')}
        </Badge>
      ),
    },
    {
      id: 'status',
      head: t('users.status'),
      cell: (user) => (
        <span className="inline-flex items-center gap-2">
          <Badge
            tone={user.status === 'active' ? 'ok' : user.status === 'pending' ? 'warn' : 'plain'}
            icon={user.status === 'active' ? CircleCheck : user.status === 'pending' ? UserCheck : Pause}
          >
            {t(`users.status.${user.status as Status}`)}
          </Badge>
          {user.status === 'pending' && (
            <Button size="s" onClick={() => setState.mutate({ user, next: 'active' })}>
              {t('users.approve')}
            </Button>
          )}
        </span>
      ),
    },
    { id: 'keys', head: t('nav.keys'), wide: true, cell: (user) => t('users.keys', { n: user.keys }) },
    {
      id: 'spend',
      head: t('users.spend'),
      align: 'right',
      cell: (user) => <span title={`$${user.month.cost}`}>{money(user.month.cost)}</span>,
    },
    {
      id: 'seen',
      head: t('users.seen'),
      wide: true,
      cell: (user) =>
        user.last_seen_at === null ? (
          <span className="text-mut">{t('time.never')}</span>
        ) : (
          <time dateTime={user.last_seen_at} title={moment(user.last_seen_at, language)}>
            {relative(user.last_seen_at, language)}
          </time>
        ),
    },
    {
      id: 'menu',
      head: <span className="sr-only">{t('action.more')}</span>,
      align: 'right',
      cell: (user) => (
        <Menu
          trigger={<IconButton icon={Ellipsis} size="s" label={`${t('action.more')}: ${user.login}`} />}
          entries={[
            { label: t('users.edit'), icon: Pencil, onSelect: () => setOpen({ what: 'edit', user }) },
            {
              label: t(user.role === 'admin' ? 'users.make_member' : 'users.make_admin'),
              icon: user.role === 'admin' ? ShieldOff : Shield,
              onSelect: () => setOpen({ what: 'role', user }),
            },
            user.status === 'disabled'
              ? { label: t('users.enable'), icon: Play, onSelect: () => setState.mutate({ user, next: 'active' }) }
              : { label: t('users.disable'), icon: Pause, onSelect: () => setState.mutate({ user, next: 'disabled' }) },
            { label: t('users.sign_out'), icon: LogOut, onSelect: () => signOut.mutate({ user }) },
            null,
            {
              label: t('action.delete'),
              icon: Trash2,
              danger: true,
              onSelect: () => setOpen({ what: 'delete', user }),
            },
          ]}
        />
      ),
    },
  ];
  const add = (
    <Button tone="main" icon={Plus} onClick={() => setOpen({ what: 'add' })}>
      {t('users.add')}
    </Button>
  );
  const chosen = open?.user;
  const nextRole = chosen?.role === 'admin' ? 'member' : 'admin';
  const close = () => setOpen(null);
  return (
    <Page title={t('nav.users')} lead={t('users.lead')} actions={add} refreshing={query.isRefetching}>
      <div className="flex flex-wrap items-center gap-2">
        <SearchInput label={t('users.filter')} value={q} onChange={(event) => setQ(event.target.value)} />
        <Segments
          label={t('users.status')}
          value={status}
          onChange={setStatus}
          choices={[
            { value: 'all', label: t('users.status.all') },
            ...STATUSES.map((value) => ({ value, label: t(`users.status.${value}`) })),
          ]}
        />
      </div>
      <Card padded={false}>
        <ListStates
          query={query}
          count={users.length}
          describe={described(t)}
          empty={
            q || status !== 'all' ? (
              <Empty
                title={t('state.empty_filtered')}
                action={
                  <Button
                    onClick={() => {
                      setQ('');
                      setStatus('all');
                    }}
                  >
                    {t('action.clear_filters')}
                  </Button>
                }
              />
            ) : (
              <Empty icon={Users} title={t('users.empty')} action={add} />
            )
          }
        >
          <Table
            label={t('nav.users')}
            columns={columns}
            rows={users}
            id={(user) => user.id}
            muted={(user) => user.status === 'disabled'}
          />
        </ListStates>
      </Card>
      {open?.what === 'add' && <UserDialog onClose={close} />}
      {open?.what === 'edit' && chosen && <UserDialog edited={chosen} onClose={close} />}
      {open?.what === 'role' && chosen && (
        <Confirm
          open
          onClose={close}
          title={t('users.role.title', { login: chosen.login })}
          action={t(nextRole === 'admin' ? 'users.make_admin' : 'users.make_member')}
          onConfirm={() => setRole.mutateAsync({ user: chosen, role: nextRole }).then(close, close)}
        >
          {t(`users.role.${nextRole}`, { login: chosen.login })}
        </Confirm>
      )}
      {open?.what === 'delete' && chosen && (
        <Confirm
          open
          onClose={close}
          title={t('users.delete.title', { login: chosen.login })}
          action={t('action.delete')}
          onConfirm={() => remove.mutateAsync({ user: chosen }).then(close, close)}
          {...(chosen.keys > 0 && { typeName: chosen.login, typeLabel: t('keys.type_name', { name: chosen.login }) })}
        >
          {t('users.delete.effect')}
        </Confirm>
      )}
    </Page>
  );
}
