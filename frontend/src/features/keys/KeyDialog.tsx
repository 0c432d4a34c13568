import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState, type FormEvent } from 'react';
import { api, ApiError, data, type ApiKey, type NewKey } from '../../api/client';
import { useSpeech } from '../../i18n';
import { moment } from '../../lib/format';
import { fieldWords } from '../../lib/problems';
import { Button, Confirm, Dialog, Field, Input, Notice, say, Select, TextArea } from '../../ui';
import { bodyOf, formErrors, formOf, type KeyForm } from './form';
import { MappingEditor } from '../mapping/MappingEditor';

interface Props {
  /** The key to edit; none: a new one is made, like `like` where given. */
  edited?: ApiKey | undefined;
  like?: ApiKey | undefined;
  onClose: () => void;
  onCreated: (key: NewKey) => void;
}

const DAYS = [7, 30, 90, 365];

export function KeyDialog({ edited, like, onClose, onCreated }: Props) {
  const { t, language } = useSpeech();
  const client = useQueryClient();
  const [first] = useState(() => formOf(edited ?? like));
  const [form, setForm] = useState<KeyForm>(like ? { ...first, name: '' } : first);
  const [tried, setTried] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const name = useRef<HTMLInputElement>(null);
  const sent = useRef(false);
  const dirty = JSON.stringify(form) !== JSON.stringify(first);
  const save = useMutation({
    mutationFn: async () => {
      const body = bodyOf(form, edited);
      if (edited === undefined) onCreated(await data(api.POST('/api/v1/api-keys', { body })));
      else {
        await api.PATCH('/api/v1/api-keys/{key_id}', { params: { path: { key_id: edited.id } }, body });
        say({ title: t('keys.said.saved', { name: body.name }) });
      }
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['keys'] });
      onClose();
    },
  });
  const errors: Record<string, string> = {
    ...(save.error && fieldWords(save.error, t)),
    ...(tried && formErrors(form, t)),
  };
  const set = <Name extends keyof KeyForm>(member: Name, value: KeyForm[Name]) =>
    setForm((now) => ({ ...now, [member]: value }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    // A second click may come before the first is drawn: what is sent is sent once.
    if (sent.current || Object.keys(formErrors(form, t)).length > 0) return;
    sent.current = true;
    save.mutate(undefined, { onError: () => (sent.current = false) });
  };
  const close = () => (dirty ? setLeaving(true) : onClose());
  const field = (
    member: 'rpm' | 'tpm' | 'concurrency' | 'queue' | 'month' | 'day',
    label: string,
    at: string,
    hint?: string,
  ) => (
    <Field label={label} error={errors[member] ?? errors[at]} hint={hint}>
      <Input value={form[member]} onChange={(event) => set(member, event.target.value)} inputMode="decimal" />
    </Field>
  );
  return (
    <>
      <Dialog
        open
        onClose={close}
        initialFocus={name}
        title={edited ? t('keys.form.edit', { name: edited.name }) : t('keys.form.create')}
        footer={
          <>
            <Button onClick={close}>{t('action.cancel')}</Button>
            <Button tone="main" type="submit" form="key-form" busy={save.isPending}>
              {edited ? t('action.save') : t('keys.create')}
            </Button>
          </>
        }
      >
        <form id="key-form" onSubmit={submit} noValidate className="flex flex-col gap-4">
          {save.error && errors[''] && <Notice tone="bad">{errors['']}</Notice>}
          {save.error instanceof ApiError && save.error.requestId && (
            <p className="font-mono text-xs text-mut">{t('state.request_id', { id: save.error.requestId })}</p>
          )}
          <Field label={t('keys.name')} required error={errors['name']} hint={t('keys.form.name.hint')}>
            <Input
              ref={name}
              value={form.name}
              onChange={(event) => set('name', event.target.value)}
              maxLength={200}
              required
            />
          </Field>
          <MappingEditor value={form.mapping} onChange={(mapping) => set('mapping', mapping)} errors={errors} />
          <div className="grid gap-4 sm:grid-cols-2">
            {field('month', t('keys.form.budget'), 'limits.spend.month', t('keys.form.budget.hint'))}
            <Field label={t('keys.form.on_spend')}>
              <Select
                value={form.onSpend}
                onChange={(value) => set('onSpend', value)}
                choices={[
                  { value: 'reject', label: t('keys.form.on_spend.reject') },
                  { value: 'warn', label: t('keys.form.on_spend.warn') },
                ]}
              />
            </Field>
            <Field label={t('keys.form.expires')} error={errors['expires_at']}>
              <Select
                value={form.expires}
                onChange={(value) => set('expires', value)}
                choices={[
                  { value: '', label: t('keys.form.expires.never') },
                  ...(edited?.expires_at
                    ? [
                        {
                          value: 'keep',
                          label: t('keys.form.expires.keep', { when: moment(edited.expires_at, language) }),
                        },
                      ]
                    : []),
                  ...DAYS.map((days) => ({ value: String(days), label: t('keys.form.expires.days', { n: days }) })),
                ]}
              />
            </Field>
          </div>
          <details
            className="rounded-lg border border-line p-3"
            open={Object.keys(errors).some((at) => /limits|allowed|rpm|tpm|queue|day/.test(at))}
          >
            <summary className="cursor-pointer rounded-md text-sm font-medium">{t('keys.form.advanced')}</summary>
            <div className="mt-3 grid gap-4 sm:grid-cols-2">
              {field('rpm', t('keys.form.rpm'), 'limits.rpm')}
              {field('tpm', t('keys.form.tpm'), 'limits.tpm')}
              {field('concurrency', t('keys.form.concurrency'), 'limits.concurrency')}
              {field('queue', t('keys.form.queue'), 'limits.queue_s')}
              {field('day', t('keys.form.spend_day'), 'limits.spend.day')}
              <Field label={t('keys.form.tags')} hint={t('keys.form.tags.hint')} error={errors['tags']}>
                <Input value={form.tags} onChange={(event) => set('tags', event.target.value)} />
              </Field>
              <Field label={t('keys.form.models')} hint={t('keys.form.models.hint')} error={errors['allowed_models']}>
                <TextArea mono value={form.models} onChange={(event) => set('models', event.target.value)} />
              </Field>
              <Field
                label={t('keys.form.networks')}
                hint={t('keys.form.networks.hint')}
                error={Object.entries(errors).find(([at]) => at.startsWith('allowed_ips'))?.[1]}
              >
                <TextArea mono value={form.networks} onChange={(event) => set('networks', event.target.value)} />
              </Field>
            </div>
          </details>
          <Field label={t('keys.form.note')} error={errors['note']}>
            <TextArea value={form.note} onChange={(event) => set('note', event.target.value)} maxLength={2000} />
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
