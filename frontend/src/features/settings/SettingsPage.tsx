import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent, type ReactNode } from 'react';
import { api, data, type Schema } from '../../api/client';
import { metaQuery } from '../../api/queries';
import { useT } from '../../i18n';
import { described, fieldWords } from '../../lib/problems';
import { typedNumber } from '../../lib/typed';
import { Button, Card, Checkbox, Failure, Field, Input, Notice, Page, say, Skeleton, TextArea } from '../../ui';
import { readMapping, writeMapping } from '../mapping/mapping';
import { MappingEditor } from '../mapping/MappingEditor';

type Settings = Schema['SettingsView'];
type Changes = Schema['SettingsChanges'];

const settingsQuery = { queryKey: ['settings'], queryFn: () => data(api.GET('/api/v1/settings')) };

export default function SettingsPage() {
  const t = useT();
  const query = useQuery(settingsQuery);
  const meta = useQuery(metaQuery);
  return (
    <Page title={t('nav.settings')} lead={t('settings.lead')}>
      {query.data ? (
        <div className="flex max-w-3xl flex-col gap-4">
          <General settings={query.data} />
          <Routing settings={query.data} />
          <GitHub settings={query.data} />
          <Members settings={query.data} />
          <Retention settings={query.data} />
          <Alerts settings={query.data} />
          <Card title={t('settings.about')}>
            <p className="text-base">
              {t('settings.version')} {meta.data?.version}
            </p>
          </Card>
        </div>
      ) : query.error ? (
        <Failure title={t('state.error')} {...described(t)(query.error)} onRetry={() => void query.refetch()} />
      ) : (
        <Skeleton height="h-24" rows={4} />
      )}
    </Page>
  );
}

interface SectionProps {
  title: string;
  /** What this section would change, or null where nothing differs from what is stored. */
  changes: Changes | null;
  children: (errors: Record<string, string>) => ReactNode;
}

/** A group of settings with a button of its own, which appears where something differs. */
function Section({ title, changes, children }: SectionProps) {
  const t = useT();
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: (body: Changes) => data(api.PUT('/api/v1/settings', { body })),
    onSuccess: async (settings) => {
      client.setQueryData(settingsQuery.queryKey, settings);
      await client.invalidateQueries({ queryKey: metaQuery.queryKey });
      say({ title: t('settings.said.saved') });
    },
  });
  const errors = save.error ? fieldWords(save.error, t) : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (changes !== null && !save.isPending) save.mutate(changes);
  };
  return (
    <Card title={title}>
      <form onSubmit={submit} noValidate className="flex flex-col gap-4">
        {errors[''] && <Notice tone="bad">{errors['']}</Notice>}
        {children(errors)}
        {changes !== null && (
          <div className="flex justify-end">
            <Button tone="main" type="submit" busy={save.isPending}>
              {t('action.save')}
            </Button>
          </div>
        )}
      </form>
    </Card>
  );
}

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);
const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
const fieldError = (errors: Record<string, string>, name: string) =>
  Object.entries(errors).find(([at]) => at === name || at.startsWith(`${name}.`) || at.startsWith(`${name}[`))?.[1];

function General({ settings }: { settings: Settings }) {
  const t = useT();
  const [url, setUrl] = useState(settings.public_url);
  const [zone, setZone] = useState(settings.time_zone);
  const fixed = settings.environment.find(({ setting }) => setting === 'public_url');
  const changes = {
    ...(url !== settings.public_url && { public_url: url.trim() }),
    ...(zone !== settings.time_zone && { time_zone: zone.trim() }),
  };
  return (
    <Section title={t('settings.general')} changes={Object.keys(changes).length > 0 ? changes : null}>
      {(errors) => (
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label={t('settings.public_url')}
            hint={fixed ? t('settings.by_environment', { variable: fixed.variable }) : t('settings.public_url.hint')}
            error={errors['public_url']}
          >
            <Input
              value={url}
              onChange={(event) => setUrl(event.target.value)}
              disabled={fixed !== undefined}
              inputMode="url"
            />
          </Field>
          <Field label={t('settings.time_zone')} hint={t('settings.time_zone.hint')} error={errors['time_zone']}>
            <Input value={zone} onChange={(event) => setZone(event.target.value)} />
          </Field>
        </div>
      )}
    </Section>
  );
}

function Routing({ settings }: { settings: Settings }) {
  const t = useT();
  const [edited, setEdited] = useState(() => readMapping(settings.default_mapping));
  const mapping = writeMapping(edited);
  return (
    <Section
      title={t('settings.routing')}
      changes={same(mapping, settings.default_mapping) ? null : { default_mapping: mapping }}
    >
      {(errors) => (
        <MappingEditor
          value={edited}
          onChange={setEdited}
          errors={Object.fromEntries(
            Object.entries(errors).map(([at, words]) => [at.replace('default_mapping', 'mapping'), words]),
          )}
        />
      )}
    </Section>
  );
}

function GitHub({ settings }: { settings: Settings }) {
  const t = useT();
  const [logins, setLogins] = useState(settings.github.logins.join('\n'));
  const [organisations, setOrganisations] = useState(settings.github.organisations.join('\n'));
  const [domains, setDomains] = useState(settings.github.email_domains.join('\n'));
  const [approval, setApproval] = useState(settings.github.approval);
  const github = {
    ...settings.github,
    logins: lines(logins),
    organisations: lines(organisations),
    email_domains: lines(domains),
    approval,
  };
  return (
    <Section title={t('settings.sign_in')} changes={same(github, settings.github) ? null : { github }}>
      {(errors) => (
        <>
          <div className="grid gap-4 sm:grid-cols-3">
            <Field
              label={t('settings.github.logins')}
              hint={t('settings.one_per_line')}
              error={fieldError(errors, 'github.logins')}
            >
              <TextArea value={logins} onChange={(event) => setLogins(event.target.value)} />
            </Field>
            <Field
              label={t('settings.github.organisations')}
              hint={t('settings.one_per_line')}
              error={fieldError(errors, 'github.organisations')}
            >
              <TextArea value={organisations} onChange={(event) => setOrganisations(event.target.value)} />
            </Field>
            <Field
              label={t('settings.github.domains')}
              hint={t('settings.one_per_line')}
              error={fieldError(errors, 'github.email_domains')}
            >
              <TextArea value={domains} onChange={(event) => setDomains(event.target.value)} />
            </Field>
          </div>
          <Checkbox
            checked={approval}
            onChange={(event) => setApproval(event.target.checked)}
            label={t('settings.github.approval')}
          />
        </>
      )}
    </Section>
  );
}

function Members({ settings }: { settings: Settings }) {
  const t = useT();
  const [mayCreate, setMayCreate] = useState(settings.members.may_create_keys);
  const [maxKeys, setMaxKeys] = useState(String(settings.members.max_keys));
  const [platforms, setPlatforms] = useState((settings.members.allowed_platforms ?? []).join('\n'));
  const members = {
    ...settings.members,
    may_create_keys: mayCreate,
    max_keys: typedNumber(maxKeys) ?? 0,
    allowed_platforms: platforms.trim() ? lines(platforms) : null,
  };
  return (
    <Section title={t('settings.members')} changes={same(members, settings.members) ? null : { members }}>
      {(errors) => (
        <>
          <Checkbox
            checked={mayCreate}
            onChange={(event) => setMayCreate(event.target.checked)}
            label={t('settings.members.may_create')}
          />
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label={t('settings.members.max_keys')} error={fieldError(errors, 'members.max_keys')}>
              <Input value={maxKeys} onChange={(event) => setMaxKeys(event.target.value)} inputMode="numeric" />
            </Field>
            <Field
              label={t('settings.members.platforms')}
              hint={t('settings.members.platforms.hint')}
              error={fieldError(errors, 'members.allowed_platforms')}
            >
              <TextArea value={platforms} onChange={(event) => setPlatforms(event.target.value)} />
            </Field>
          </div>
        </>
      )}
    </Section>
  );
}

function Retention({ settings }: { settings: Settings }) {
  const t = useT();
  const [rows, setRows] = useState(settings.retention.rows_days === null ? '' : String(settings.retention.rows_days));
  const [captures, setCaptures] = useState(String(settings.retention.capture_days));
  const retention = {
    ...settings.retention,
    rows_days: typedNumber(rows),
    capture_days: typedNumber(captures) ?? 0,
  };
  return (
    <Section title={t('settings.retention')} changes={same(retention, settings.retention) ? null : { retention }}>
      {(errors) => (
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label={t('settings.retention.rows')}
            hint={t('settings.retention.rows.hint')}
            error={fieldError(errors, 'retention.rows_days')}
          >
            <Input value={rows} onChange={(event) => setRows(event.target.value)} inputMode="numeric" />
          </Field>
          <Field label={t('settings.retention.capture')} error={fieldError(errors, 'retention.capture_days')}>
            <Input value={captures} onChange={(event) => setCaptures(event.target.value)} inputMode="numeric" />
          </Field>
        </div>
      )}
    </Section>
  );
}

function Alerts({ settings }: { settings: Settings }) {
  const t = useT();
  const [typed, setTyped] = useState(settings.alerts.thresholds.join(', '));
  const thresholds = typed
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part) => typedNumber(part) ?? 0);
  return (
    <Section
      title={t('settings.alerts')}
      changes={same(thresholds, settings.alerts.thresholds) ? null : { alerts: { ...settings.alerts, thresholds } }}
    >
      {(errors) => (
        <Field
          label={t('settings.alerts.thresholds')}
          hint={t('settings.alerts.hint')}
          error={fieldError(errors, 'alerts')}
        >
          <Input value={typed} onChange={(event) => setTyped(event.target.value)} />
        </Field>
      )}
    </Section>
  );
}
