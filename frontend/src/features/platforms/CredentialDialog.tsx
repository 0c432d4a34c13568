import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Braces, TextCursorInput } from 'lucide-react';
import { useRef, useState, type FormEvent } from 'react';
import { api, type Credential } from '../../api/client';
import { platformsQuery } from '../../api/queries';
import { useT } from '../../i18n';
import { fieldWords } from '../../lib/problems';
import { typedNumber } from '../../lib/typed';
import { Button, Confirm, Dialog, Field, Input, Notice, say, Select, TextArea } from '../../ui';
import { fieldsOf, readObject, valuesOf } from './schema';
import { SchemaFields } from './SchemaFields';

interface Props {
  edited?: Credential | undefined;
  platform?: string | undefined;
  onClose: () => void;
}

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

export function CredentialDialog({ edited, platform, onClose }: Props) {
  const t = useT();
  const client = useQueryClient();
  const platforms = (useQuery(platformsQuery).data?.items ?? []).filter((known) => known.needs_credential);
  const [chosen, setChosen] = useState(edited?.platform ?? platform ?? 'anthropic');
  const kind = platforms.find((known) => known.id === chosen);
  const authFields = fieldsOf(kind?.auth ?? {});
  const optionFields = fieldsOf(kind?.options ?? {});
  const [name, setName] = useState(edited?.name ?? '');
  const [auth, setAuth] = useState<Record<string, string>>({});
  const [pasted, setPasted] = useState<string | null>(null);
  const [options, setOptions] = useState<Record<string, string>>(() =>
    Object.fromEntries(
      Object.entries(edited?.options ?? {})
        .filter(([, value]) => typeof value !== 'object')
        .map(([member, value]) => [member, String(value)]),
    ),
  );
  const [baseUrl, setBaseUrl] = useState(edited?.base_url ?? '');
  const [priority, setPriority] = useState(String(edited?.priority ?? 0));
  const [weight, setWeight] = useState(String(edited?.weight ?? 1));
  const [concurrency, setConcurrency] = useState(edited?.max_concurrency ? String(edited.max_concurrency) : '');
  const [models, setModels] = useState((edited?.models ?? []).join('\n'));
  const [tried, setTried] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const [touched, setTouched] = useState(false);
  const sent = useRef(false);
  const first = useRef<HTMLInputElement>(null);

  const own: Record<string, string> = {};
  if (!name.trim()) own['name'] = t('error.required');
  if (pasted !== null && readObject(pasted) === null) own['auth'] = t('platforms.form.paste.bad');

  const save = useMutation({
    mutationFn: async () => {
      const given = pasted === null ? valuesOf(authFields, auth) : (readObject(pasted) ?? {});
      // What the form cannot show (lists, objects) is kept as it is.
      const hidden = Object.entries(edited?.options ?? {}).filter(
        ([member]) => !optionFields.some((field) => field.name === member),
      );
      const body = {
        name: name.trim(),
        base_url: baseUrl.trim() || null,
        options: { ...Object.fromEntries(hidden), ...valuesOf(optionFields, options) },
        priority: typedNumber(priority) ?? 0,
        weight: typedNumber(weight) ?? 1,
        max_concurrency: typedNumber(concurrency),
        models: models.trim() ? lines(models) : null,
      };
      if (edited === undefined)
        await api.POST('/api/v1/credentials', { body: { ...body, platform: chosen, auth: given } });
      else {
        await api.PATCH('/api/v1/credentials/{credential_id}', {
          params: { path: { credential_id: edited.id } },
          body: { ...body, ...(Object.keys(given).length > 0 && { auth: given }) },
        });
      }
    },
    onSuccess: async () => {
      say({ title: t(edited ? 'platforms.said.saved' : 'platforms.said.created', { name }) });
      await client.invalidateQueries({ queryKey: ['credentials'] });
      onClose();
    },
    onError: () => (sent.current = false),
  });
  const errors: Record<string, string> = { ...(save.error && fieldWords(save.error, t)), ...(tried && own) };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (sent.current || Object.keys(own).length > 0) return;
    sent.current = true;
    save.mutate();
  };
  const close = () => (touched ? setLeaving(true) : onClose());
  return (
    <>
      <Dialog
        open
        onClose={close}
        initialFocus={first}
        title={edited ? t('platforms.form.edit', { name: edited.name }) : t('platforms.form.add')}
        footer={
          <>
            <Button onClick={close}>{t('action.cancel')}</Button>
            <Button tone="main" type="submit" form="credential-form" busy={save.isPending}>
              {edited ? t('action.save') : t('platforms.add')}
            </Button>
          </>
        }
      >
        <form
          id="credential-form"
          onSubmit={submit}
          onChange={() => setTouched(true)}
          noValidate
          className="flex flex-col gap-4"
        >
          {save.error && errors[''] && <Notice tone="bad">{errors['']}</Notice>}
          {edited?.origin === 'environment' && <Notice>{t('platforms.form.environment')}</Notice>}
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label={t('platforms.name')} required error={errors['name']}>
              <Input ref={first} value={name} onChange={(event) => setName(event.target.value)} maxLength={200} />
            </Field>
            <Field label={t('platforms.form.platform')}>
              <Select
                value={chosen}
                disabled={edited !== undefined}
                onChange={(next) => {
                  setChosen(next);
                  setAuth({});
                  setOptions({});
                }}
                choices={platforms.map((known) => ({ value: known.id, label: known.id, note: undefined }))}
              />
            </Field>
          </div>
          {kind && <p className="-mt-2 text-sm text-mut">{kind.name}</p>}
          {kind?.note && <Notice>{kind.note}</Notice>}
          <fieldset className="flex flex-col gap-3 rounded-lg border border-line p-3">
            <legend className="px-1 text-sm font-medium">{t('platforms.form.auth')}</legend>
            {edited && <p className="text-xs text-mut">{t('platforms.form.auth.kept')}</p>}
            {pasted === null ? (
              <SchemaFields
                prefix="auth"
                fields={authFields}
                values={auth}
                onChange={(member, value) => setAuth((now) => ({ ...now, [member]: value }))}
                errors={errors}
              />
            ) : (
              <Field label="JSON" hint={t('platforms.form.paste.hint')} error={errors['auth']}>
                <TextArea
                  mono
                  rows={8}
                  value={pasted}
                  onChange={(event) => setPasted(event.target.value)}
                  spellCheck={false}
                />
              </Field>
            )}
            {pasted === null && errors['auth'] && <p className="text-sm text-bad">{errors['auth']}</p>}
            <div>
              <Button
                size="s"
                tone="quiet"
                icon={pasted === null ? Braces : TextCursorInput}
                onClick={() => setPasted(pasted === null ? '' : null)}
              >
                {t(pasted === null ? 'platforms.form.paste' : 'platforms.form.fields')}
              </Button>
            </div>
          </fieldset>
          {kind?.base_url && (
            <Field
              label={t('platforms.form.base_url')}
              hint={t('platforms.form.base_url.hint', { url: kind.base_url })}
              error={errors['base_url']}
            >
              <Input mono value={baseUrl} onChange={(event) => setBaseUrl(event.target.value)} autoComplete="off" />
            </Field>
          )}
          {optionFields.length > 0 && (
            <details
              className="rounded-lg border border-line p-3"
              open={
                optionFields.some((field) => field.required) ||
                Object.keys(errors).some((at) => at.startsWith('options'))
              }
            >
              <summary className="cursor-pointer rounded-md text-sm font-medium">{t('platforms.form.options')}</summary>
              <div className="mt-3 grid gap-4 sm:grid-cols-2">
                <SchemaFields
                  prefix="options"
                  fields={optionFields}
                  values={options}
                  onChange={(member, value) => setOptions((now) => ({ ...now, [member]: value }))}
                  errors={errors}
                />
              </div>
            </details>
          )}
          <div className="grid gap-4 sm:grid-cols-3">
            <Field
              label={t('platforms.form.priority')}
              hint={t('platforms.form.priority.hint')}
              error={errors['priority']}
            >
              <Input value={priority} onChange={(event) => setPriority(event.target.value)} inputMode="numeric" />
            </Field>
            <Field label={t('platforms.form.weight')} hint={t('platforms.form.weight.hint')} error={errors['weight']}>
              <Input value={weight} onChange={(event) => setWeight(event.target.value)} inputMode="numeric" />
            </Field>
            <Field
              label={t('platforms.form.concurrency')}
              hint={t('platforms.form.concurrency.hint')}
              error={errors['max_concurrency']}
            >
              <Input value={concurrency} onChange={(event) => setConcurrency(event.target.value)} inputMode="numeric" />
            </Field>
          </div>
          <Field label={t('platforms.form.models')} hint={t('platforms.form.models.hint')} error={errors['models']}>
            <TextArea mono value={models} onChange={(event) => setModels(event.target.value)} />
          </Field>
        </form>
      </Dialog>
      <Confirm
        open={leaving}
        onClose={() => setLeaving(false)}
        title={t('state.unsaved')}
        action={t('action.leave')}
        onConfirm={async () => onClose()}
      >
        {t('state.unsaved.hint')}
      </Confirm>
    </>
  );
}
