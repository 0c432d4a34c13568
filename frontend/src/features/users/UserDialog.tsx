import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState, type FormEvent } from 'react';
import { api } from '../../api/client';
import { useT } from '../../i18n';
import { fieldWords } from '../../lib/problems';
import { typedNumber } from '../../lib/typed';
import { Button, Dialog, Field, Input, Notice, PasswordInput, say, Select } from '../../ui';
import type { User } from './queries';

interface StoredLimits {
  rpm?: number;
  concurrency?: number;
  spend?: Record<string, string>;
}

/** Makes a user or changes one: name, role, password, and limits over all their keys. */
export function UserDialog({ edited, onClose }: { edited?: User | undefined; onClose: () => void }) {
  const t = useT();
  const client = useQueryClient();
  const limits = (edited?.limits ?? {}) as StoredLimits;
  const [form, setForm] = useState({
    login: edited?.login ?? '',
    name: edited?.name ?? '',
    email: edited?.email ?? '',
    role: edited?.role ?? 'member',
    password: '',
    month: limits.spend?.['month'] ?? '',
    day: limits.spend?.['day'] ?? '',
    rpm: limits.rpm ? String(limits.rpm) : '',
    concurrency: limits.concurrency ? String(limits.concurrency) : '',
  });
  const sent = useRef(false);
  const save = useMutation({
    mutationFn: async () => {
      const spend = { ...limits.spend };
      for (const window of ['month', 'day'] as const) {
        if (form[window].trim()) spend[window] = form[window].trim();
        else delete spend[window];
      }
      const body = {
        name: form.name.trim() || null,
        email: form.email.trim() || null,
        role: form.role as 'admin' | 'member',
        limits: { ...edited?.limits, rpm: typedNumber(form.rpm), concurrency: typedNumber(form.concurrency), spend },
        ...(form.password && { password: form.password }),
      };
      if (edited) await api.PATCH('/api/v1/users/{user_id}', { params: { path: { user_id: edited.id } }, body });
      else await api.POST('/api/v1/users', { body: { ...body, login: form.login.trim(), status: 'active' } });
    },
    onSuccess: async () => {
      say({ title: t(edited ? 'users.said.saved' : 'users.said.added', { login: form.login }) });
      await client.invalidateQueries({ queryKey: ['users'] });
      onClose();
    },
    onError: () => (sent.current = false),
  });
  const errors: Record<string, string> = save.error ? fieldWords(save.error, t) : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (sent.current) return;
    sent.current = true;
    save.mutate();
  };
  const bind = (member: keyof typeof form) => ({
    value: form[member],
    onChange: (event: { target: { value: string } }) => setForm((now) => ({ ...now, [member]: event.target.value })),
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={edited ? t('users.form.edit', { login: edited.login }) : t('users.form.add')}
      footer={
        <>
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button tone="main" type="submit" form="user-form" busy={save.isPending}>
            {edited ? t('action.save') : t('users.add')}
          </Button>
        </>
      }
    >
      <form id="user-form" onSubmit={submit} noValidate className="grid gap-4 sm:grid-cols-2">
        {errors[''] && (
          <div className="sm:col-span-2">
            <Notice tone="bad">{errors['']}</Notice>
          </div>
        )}
        <Field
          label={t('users.form.login')}
          required={!edited}
          hint={t('users.form.login.hint')}
          error={errors['login']}
        >
          <Input {...bind('login')} disabled={edited !== undefined} autoComplete="off" />
        </Field>
        <Field label={t('users.role')} error={errors['role']}>
          <Select
            value={form.role}
            onChange={(role) => setForm((now) => ({ ...now, role }))}
            choices={[
              { value: 'member', label: t('role.member') },
              { value: 'admin', label: t('role.admin') },
            ]}
          />
        </Field>
        <Field label={t('users.form.name')} error={errors['name']}>
          <Input {...bind('name')} autoComplete="off" />
        </Field>
        <Field label={t('users.form.email')} error={errors['email']}>
          <Input {...bind('email')} type="email" autoComplete="off" />
        </Field>
        <div className="sm:col-span-2">
          <Field
            label={t(edited ? 'users.form.password.new' : 'users.form.password')}
            hint={t(edited ? 'users.form.password.keep' : 'users.form.password.hint')}
            error={errors['password']}
          >
            <PasswordInput {...bind('password')} autoComplete="new-password" />
          </Field>
        </div>
        <fieldset className="grid gap-4 rounded-lg border border-line p-3 sm:col-span-2 sm:grid-cols-2">
          <legend className="px-1 text-sm font-medium">{t('users.form.limits')}</legend>
          <Field label={t('users.form.month')} error={errors['limits.spend.month']}>
            <Input {...bind('month')} inputMode="decimal" />
          </Field>
          <Field label={t('users.form.day')} error={errors['limits.spend.day']}>
            <Input {...bind('day')} inputMode="decimal" />
          </Field>
          <Field label={t('users.form.rpm')} error={errors['limits.rpm']}>
            <Input {...bind('rpm')} inputMode="numeric" />
          </Field>
          <Field label={t('users.form.concurrency')} error={errors['limits.concurrency']}>
            <Input {...bind('concurrency')} inputMode="numeric" />
          </Field>
        </fieldset>
      </form>
    </Dialog>
  );
}
