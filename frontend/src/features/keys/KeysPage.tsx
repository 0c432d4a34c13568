import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Copy, CopyPlus, Ellipsis, KeyRound, ListTree, Pencil, Plus, RotateCw, Trash2 } from 'lucide-react';
import { useMemo, useState } from 'react';
import { ApiError, type ApiKey, type NewKey } from '../../api/client';
import { keysQuery } from '../../api/queries';
import { useIsAdmin } from '../../app/session';
import { useSpeech, useT } from '../../i18n';
import { money, moment, relative } from '../../lib/format';
import { useShortcuts } from '../../lib/keys';
import { wordsOf } from '../../lib/problems';
import {
  Badge,
  Button,
  Card,
  Confirm,
  CopyButton,
  Dialog,
  Empty,
  Failure,
  IconButton,
  Menu,
  Meter,
  Notice,
  Page,
  SearchInput,
  Segments,
  Skeleton,
  Switch,
  Table,
  type Column,
} from '../../ui';
import { useKeyActions } from './actions';
import { Connect } from './Connect';
import { CreatedDialog } from './CreatedDialog';
import { KeyDialog } from './KeyDialog';
import { chainWords, readMapping } from '../mapping/mapping';
import { RotateDialog } from './RotateDialog';

type Open = { what: 'create' | 'edit' | 'copy' | 'config' | 'rotate' | 'delete'; key?: ApiKey } | null;

const STATUSES = ['all', 'active', 'disabled', 'expired'] as const;
type Status = (typeof STATUSES)[number];

const expired = (key: ApiKey) => key.expires_at !== null && new Date(key.expires_at) <= new Date();
const statusOf = (key: ApiKey): Status => (expired(key) ? 'expired' : key.enabled ? 'active' : 'disabled');

export default function KeysPage() {
  const { t, language } = useSpeech();
  const isAdmin = useIsAdmin();
  const navigate = useNavigate({ from: '/keys' });
  const search = useSearch({ from: '/shell/keys' });
  const query = useInfiniteQuery(keysQuery());
  const [open, setOpen] = useState<Open>(null);
  const [created, setCreated] = useState<NewKey | null>(null);
  const { enable, remove } = useKeyActions();
  useShortcuts({ n: () => setOpen({ what: 'create' }) });

  const all = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const wanted = (search.q ?? '').toLowerCase();
  const status = STATUSES.find((known) => known === search.status) ?? 'all';
  const shown = all.filter(
    (key) =>
      (status === 'all' || statusOf(key) === status) &&
      `${key.name} ${key.prefix} ${key.owner.login} ${key.tags.join(' ')}`.toLowerCase().includes(wanted),
  );

  const columns: Column<ApiKey>[] = [
    { id: 'name', head: t('keys.name'), cell: (key) => <NameCell shown={key} /> },
    ...(isAdmin
      ? [{ id: 'owner', head: t('keys.owner'), cell: (key: ApiKey) => key.owner.name ?? key.owner.login, wide: true }]
      : []),
    { id: 'mapping', head: t('keys.mapping'), cell: (key) => <MappingCell shown={key} />, wide: true },
    { id: 'spend', head: t('keys.spend'), cell: (key) => <SpendCell shown={key} /> },
    {
      id: 'used',
      head: t('keys.last_used'),
      wide: true,
      cell: (key) =>
        key.last_used_at === null ? (
          <span className="text-mut">{t('time.never')}</span>
        ) : (
          <time dateTime={key.last_used_at} title={moment(key.last_used_at, language)} className="whitespace-nowrap">
            {relative(key.last_used_at, language)}
          </time>
        ),
    },
    {
      id: 'enabled',
      head: t('keys.enabled'),
      cell: (key) => (
        <Switch
          checked={key.enabled}
          label={`${t('keys.enabled')}: ${key.name}`}
          onChange={(enabled) => enable.mutate({ key, enabled })}
        />
      ),
    },
    {
      id: 'menu',
      head: <span className="sr-only">{t('action.more')}</span>,
      align: 'right',
      cell: (key) => (
        <Menu
          trigger={<IconButton icon={Ellipsis} size="s" label={`${t('action.more')}: ${key.name}`} />}
          entries={[
            { label: t('action.edit'), icon: Pencil, onSelect: () => setOpen({ what: 'edit', key }) },
            { label: t('keys.action.config'), icon: Copy, onSelect: () => setOpen({ what: 'config', key }) },
            {
              label: t('keys.action.logs'),
              icon: ListTree,
              onSelect: () => void navigate({ to: '/logs', search: { key_id: key.id } }),
            },
            { label: t('keys.action.rotate'), icon: RotateCw, onSelect: () => setOpen({ what: 'rotate', key }) },
            { label: t('keys.action.duplicate'), icon: CopyPlus, onSelect: () => setOpen({ what: 'copy', key }) },
            null,
            { label: t('action.delete'), icon: Trash2, danger: true, onSelect: () => setOpen({ what: 'delete', key }) },
          ]}
        />
      ),
    },
  ];
  const create = (
    <Button tone="main" icon={Plus} onClick={() => setOpen({ what: 'create' })}>
      {t('keys.create')}
    </Button>
  );
  return (
    <Page
      title={t(isAdmin ? 'nav.keys' : 'nav.my_keys')}
      lead={t('keys.lead')}
      actions={create}
      refreshing={query.isRefetching}
    >
      <div className="flex flex-wrap items-center gap-2">
        <SearchInput
          label={t('keys.filter')}
          value={search.q ?? ''}
          onChange={(event) => void navigate({ search: { ...search, q: event.target.value }, replace: true })}
        />
        <Segments
          label={t('keys.status')}
          value={status}
          onChange={(next) => void navigate({ search: { ...search, status: next === 'all' ? '' : next } })}
          choices={STATUSES.map((value) => ({ value, label: t(`keys.status.${value}`) }))}
        />
      </div>
      <Card padded={false}>
        {query.isPending ? (
          <Skeleton height="h-14" />
        ) : query.error ? (
          <Failure
            title={t('state.error')}
            message={wordsOf(query.error, t)}
            requestId={query.error instanceof ApiError ? query.error.requestId : null}
            onRetry={() => void query.refetch()}
          />
        ) : all.length === 0 ? (
          <Empty icon={KeyRound} title={t('keys.empty')} hint={t('keys.empty.hint')} action={create} />
        ) : shown.length === 0 ? (
          <Empty
            title={t('state.empty_filtered')}
            action={<Button onClick={() => void navigate({ search: {} })}>{t('action.clear_filters')}</Button>}
          />
        ) : (
          <Table
            label={t('nav.keys')}
            columns={columns}
            rows={shown}
            id={(key) => key.id}
            muted={(key) => statusOf(key) !== 'active'}
          />
        )}
        {query.hasNextPage && (
          <div className="border-t border-line p-3 text-center">
            <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              {t('action.load_more')}
            </Button>
          </div>
        )}
      </Card>
      {(open?.what === 'create' || open?.what === 'edit' || open?.what === 'copy') && (
        <KeyDialog
          edited={open.what === 'edit' ? open.key : undefined}
          like={open.what === 'copy' ? open.key : undefined}
          onClose={() => setOpen(null)}
          onCreated={setCreated}
        />
      )}
      {open?.what === 'config' && open.key && <ConfigDialog shown={open.key} onClose={() => setOpen(null)} />}
      {open?.what === 'rotate' && open.key && (
        <RotateDialog rotated={open.key} onClose={() => setOpen(null)} onCreated={setCreated} />
      )}
      {open?.what === 'delete' && open.key && (
        <DeleteDialog doomed={open.key} onClose={() => setOpen(null)} remove={(key) => remove.mutateAsync(key)} />
      )}
      {created && <CreatedDialog created={created} onClose={() => setCreated(null)} />}
    </Page>
  );
}

function NameCell({ shown: key }: { shown: ApiKey }) {
  const { t } = useSpeech();
  const status = statusOf(key);
  return (
    <div className="flex min-w-36 flex-col gap-0.5">
      <span className="flex flex-wrap items-center gap-1.5 text-base font-medium">
        {key.name}
        {status !== 'active' && (
          <Badge tone={status === 'expired' ? 'warn' : 'plain'}>{t(`keys.status.${status}`)}</Badge>
        )}
        {key.tags.map((tag) => (
          <Badge key={tag}>{tag}</Badge>
        ))}
      </span>
      <span className="flex items-center font-mono text-xs text-mut">
        {key.prefix}…
        <CopyButton text={key.prefix} label={`${t('action.copy')}: ${key.prefix}`} />
      </span>
    </div>
  );
}

function MappingCell({ shown: key }: { shown: ApiKey }) {
  const t = useT();
  const given = Object.entries(readMapping(key.mapping).slots);
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-3 text-xs">
      {given.map(([slot, chain]) => (
        <div key={slot} className="contents">
          <dt className="text-mut">{slot}</dt>
          <dd className={chain === null ? 'text-mut' : undefined}>
            {chain === null ? t('keys.no_mapping') : chainWords(chain)}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function SpendCell({ shown: key }: { shown: ApiKey }) {
  const t = useT();
  const spend = (key.limits as { spend?: Record<string, string> }).spend ?? {};
  const limit = spend['month'];
  return (
    <div className="flex w-36 flex-col gap-1">
      <span title={`$${key.month.cost}`}>
        <span className="font-medium">{money(key.month.cost)}</span>
        {limit && <span className="text-mut"> / {money(limit)}</span>}
      </span>
      {limit && (
        <Meter
          used={Number(key.month.cost)}
          of={Number(limit)}
          label={t('keys.budget', { used: money(key.month.cost), limit: money(limit) })}
        />
      )}
      <span className="text-xs text-mut">{t('keys.requests', { n: key.month.requests })}</span>
    </div>
  );
}

function ConfigDialog({ shown: key, onClose }: { shown: ApiKey; onClose: () => void }) {
  const t = useT();
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('config.title', { name: key.name })}
      footer={<Button onClick={onClose}>{t('action.close')}</Button>}
    >
      <Notice tone="acc">{t('config.placeholder')}</Notice>
      <Connect secret="<your key>" />
    </Dialog>
  );
}

function DeleteDialog({
  doomed: key,
  onClose,
  remove,
}: {
  doomed: ApiKey;
  onClose: () => void;
  remove: (key: ApiKey) => Promise<unknown>;
}) {
  const t = useT();
  return (
    <Confirm
      open
      onClose={onClose}
      title={t('keys.delete.title', { name: key.name })}
      action={t('action.delete')}
      onConfirm={() => remove(key).then(onClose, onClose)}
    >
      {t('keys.delete.effect')}{' '}
      <Link to="/logs" search={{ key_id: key.id }} className="text-acc underline">
        {t('keys.action.logs')}
      </Link>
    </Confirm>
  );
}
