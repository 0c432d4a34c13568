/** What the key dialog edits, and the body it becomes. */
import type { ApiKey, Schema } from '../../api/client';
import type { Translate } from '../../i18n';
import { readMapping, writeMapping, type EditedMapping } from '../mapping/mapping';

export interface KeyForm {
  name: string;
  mapping: EditedMapping;
  month: string;
  day: string;
  onSpend: 'reject' | 'warn';
  /** Days from now, '' for never, 'keep' for what is set. */
  expires: string;
  rpm: string;
  tpm: string;
  concurrency: string;
  queue: string;
  models: string;
  networks: string;
  tags: string;
  note: string;
}

interface StoredLimits {
  rpm?: number | null;
  tpm?: number | null;
  concurrency?: number | null;
  queue_s?: number | null;
  spend?: Record<string, string>;
  on_spend?: 'reject' | 'warn';
}

const text = (value: number | string | null | undefined) =>
  value === null || value === undefined ? '' : String(value);

export function formOf(key?: ApiKey): KeyForm {
  const limits = (key?.limits ?? {}) as StoredLimits;
  return {
    name: key?.name ?? '',
    mapping: readMapping(key?.mapping ?? {}),
    month: limits.spend?.['month'] ?? '',
    day: limits.spend?.['day'] ?? '',
    onSpend: limits.on_spend ?? 'reject',
    expires: key?.expires_at ? 'keep' : '',
    rpm: text(limits.rpm),
    tpm: text(limits.tpm),
    concurrency: text(limits.concurrency),
    queue: text(limits.queue_s || ''),
    models: key?.allowed_models.join('\n') ?? '',
    networks: key?.allowed_ips.join('\n') ?? '',
    tags: key?.tags.join(', ') ?? '',
    note: key?.note ?? '',
  };
}

const lines = (value: string) =>
  value
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

const number = (value: string) => (value.trim() ? Number(value.trim()) : null);

/** What a person can see is wrong before asking the server, by field. */
export function formErrors(form: KeyForm, t: Translate): Record<string, string> {
  const errors: Record<string, string> = {};
  if (!form.name.trim()) errors['name'] = t('error.required');
  for (const name of ['rpm', 'tpm', 'concurrency', 'queue'] as const) {
    if (form[name].trim() && !/^[1-9]\d*$/.test(form[name].trim())) errors[name] = t('keys.form.number');
  }
  for (const name of ['month', 'day'] as const) {
    if (form[name].trim() && !/^\d+(\.\d+)?$/.test(form[name].trim())) errors[name] = t('keys.form.amount');
  }
  for (const [slot, chain] of Object.entries(form.mapping.slots)) {
    if (chain?.some((target) => !target.model)) errors[`mapping.${slot}`] = t('mapping.choose_model', { slot });
  }
  return errors;
}

/** The body of a create or change; limits that the form does not show stay as they are. */
export function bodyOf(form: KeyForm, key?: ApiKey): Schema['KeyChanges'] & { name: string } {
  const kept = (key?.limits ?? {}) as StoredLimits;
  const spend: Record<string, string> = { ...kept.spend };
  for (const window of ['month', 'day'] as const) {
    if (form[window].trim()) spend[window] = form[window].trim();
    else delete spend[window];
  }
  return {
    name: form.name.trim(),
    mapping: writeMapping(form.mapping),
    limits: {
      rpm: number(form.rpm),
      tpm: number(form.tpm),
      concurrency: number(form.concurrency),
      queue_s: number(form.queue) ?? 0,
      spend,
      on_spend: form.onSpend,
    },
    ...(form.expires !== 'keep' && {
      expires_at: form.expires ? new Date(Date.now() + Number(form.expires) * 86_400_000).toISOString() : null,
    }),
    allowed_models: lines(form.models),
    allowed_ips: lines(form.networks),
    tags: form.tags
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean),
    note: form.note.trim() || null,
  };
}
