import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, data, type ApiKey, type NewKey } from '../../api/client';
import { useT } from '../../i18n';
import { wordsOf } from '../../lib/problems';
import { Button, Dialog, Field, Input, Notice, Select } from '../../ui';

const GRACES = ['86400', '3600', '604800', '0'] as const;

/** Gives a key another secret; without a time for the former one, the name must be typed. */
export function RotateDialog({
  rotated: key,
  onClose,
  onCreated,
}: {
  rotated: ApiKey;
  onClose: () => void;
  onCreated: (key: NewKey) => void;
}) {
  const t = useT();
  const client = useQueryClient();
  const [grace, setGrace] = useState<(typeof GRACES)[number]>('86400');
  const [typed, setTyped] = useState('');
  const rotate = useMutation({
    mutationFn: () =>
      data(
        api.POST('/api/v1/api-keys/{key_id}/rotate', {
          params: { path: { key_id: key.id } },
          body: { grace_s: Number(grace) },
        }),
      ),
    onSuccess: async (created) => {
      await client.invalidateQueries({ queryKey: ['keys'] });
      onCreated(created);
      onClose();
    },
  });
  return (
    <Dialog
      open
      onClose={onClose}
      width="s"
      title={t('keys.rotate.title', { name: key.name })}
      footer={
        <>
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button
            tone="danger"
            busy={rotate.isPending}
            disabled={grace === '0' && typed !== key.name}
            onClick={() => rotate.mutate()}
          >
            {t('keys.action.rotate')}
          </Button>
        </>
      }
    >
      <p className="text-base">{t('keys.rotate.effect')}</p>
      {rotate.error && <Notice tone="bad">{wordsOf(rotate.error, t)}</Notice>}
      <Field label={t('keys.rotate.grace')}>
        <Select
          value={grace}
          onChange={setGrace}
          choices={GRACES.map((value) => ({ value, label: t(`keys.rotate.grace.${value}`) }))}
        />
      </Field>
      {grace === '0' && (
        <Field label={t('keys.type_name', { name: key.name })}>
          <Input value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" />
        </Field>
      )}
    </Dialog>
  );
}
