import { useInfiniteQuery } from '@tanstack/react-query';
import { History } from 'lucide-react';
import { useState } from 'react';
import { api, data, type Schema } from '../../api/client';
import { useSpeech } from '../../i18n';
import { moment } from '../../lib/format';
import { described } from '../../lib/problems';
import { Badge, Button, Card, Empty, ListStates, Page, SearchInput, Sheet, Switch, Table, type Column } from '../../ui';

type Entry = Schema['AuditView'];

export default function AuditPage() {
  const { t, language } = useSpeech();
  const [actor, setActor] = useState('');
  const [failed, setFailed] = useState(false);
  const [open, setOpen] = useState<Entry | null>(null);
  const query = useInfiniteQuery({
    queryKey: ['audit', { actor, failed }],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      data(
        api.GET('/api/v1/audit', {
          params: {
            query: {
              limit: 100,
              ...(actor && { actor }),
              ...(failed && { failed }),
              ...(pageParam && { cursor: pageParam }),
            },
          },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const entries = query.data?.pages.flatMap((page) => page.items) ?? [];
  const columns: Column<Entry>[] = [
    {
      id: 'at',
      head: t('audit.time'),
      cell: (entry) => (
        <button
          type="button"
          aria-label={t('audit.open', { time: moment(entry.at, language) })}
          onClick={() => setOpen(entry)}
          className="rounded whitespace-nowrap text-acc underline"
        >
          <time dateTime={entry.at}>{moment(entry.at, language)}</time>
        </button>
      ),
    },
    { id: 'actor', head: t('audit.actor'), cell: (entry) => entry.actor.login },
    {
      id: 'action',
      head: t('audit.action'),
      cell: (entry) => <code className="font-mono text-xs">{entry.action}</code>,
    },
    {
      id: 'object',
      head: t('audit.object'),
      wide: true,
      cell: (entry) => <span title={entry.object_id ?? ''}>{nameOf(entry)}</span>,
    },
    { id: 'address', head: t('audit.address'), wide: true, cell: (entry) => entry.client_ip ?? '–' },
    {
      id: 'result',
      head: t('audit.result'),
      cell: (entry) => (
        <Badge tone={entry.failed ? 'bad' : 'ok'}>{t(entry.failed ? 'audit.failed' : 'audit.done')}</Badge>
      ),
    },
  ];
  return (
    <Page title={t('nav.audit')} lead={t('audit.lead')} refreshing={query.isRefetching}>
      <div className="flex flex-wrap items-center gap-4">
        <SearchInput label={t('audit.filter.actor')} value={actor} onChange={(event) => setActor(event.target.value)} />
        <Switch shown checked={failed} onChange={setFailed} label={t('audit.only_failed')} />
      </div>
      <Card padded={false}>
        <ListStates
          query={query}
          count={entries.length}
          describe={described(t)}
          rowHeight="h-8"
          empty={
            actor || failed ? (
              <Empty
                title={t('state.empty_filtered')}
                action={
                  <Button
                    onClick={() => {
                      setActor('');
                      setFailed(false);
                    }}
                  >
                    {t('action.clear_filters')}
                  </Button>
                }
              />
            ) : (
              <Empty icon={History} title={t('audit.empty')} />
            )
          }
        >
          <Table label={t('nav.audit')} columns={columns} rows={entries} id={(entry) => entry.id} />
        </ListStates>
      </Card>
      {open && (
        <Sheet open onClose={() => setOpen(null)} title={`${open.action} · ${nameOf(open)}`}>
          <Difference entry={open} />
        </Sheet>
      )}
    </Page>
  );
}

function nameOf(entry: Entry): string {
  const known = { ...entry.before, ...entry.after } as Record<string, unknown>;
  const name = known['name'] ?? known['login'];
  return typeof name === 'string' ? name : (entry.object_id ?? entry.kind);
}

const shown = (value: unknown): string =>
  value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value, null, 1);

/** What changed, member by member. */
function Difference({ entry }: { entry: Entry }) {
  const { t } = useSpeech();
  const before = (entry.before ?? {}) as Record<string, unknown>;
  const after = (entry.after ?? {}) as Record<string, unknown>;
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  if (names.length === 0) return <p className="p-5 text-base text-mut">{t('audit.none')}</p>;
  return (
    <table className="m-5 w-[calc(100%-40px)] text-sm">
      <thead>
        <tr className="border-b border-line text-left text-xs">
          <th className="py-2 pr-3">{t('audit.member')}</th>
          <th className="py-2 pr-3">{t('audit.before')}</th>
          <th className="py-2">{t('audit.after')}</th>
        </tr>
      </thead>
      <tbody>
        {names.map((name) => (
          <tr key={name} className="border-b border-line align-top">
            <th scope="row" className="py-2 pr-3 text-left font-mono text-xs font-normal">
              {name}
            </th>
            <td className="py-2 pr-3 font-mono text-xs break-all whitespace-pre-wrap text-bad">
              {shown(before[name])}
            </td>
            <td className="py-2 font-mono text-xs break-all whitespace-pre-wrap text-ok">{shown(after[name])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
