import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { CircleCheck } from 'lucide-react';
import { useState } from 'react';
import { api, data, type Credential } from '../../api/client';
import { platformsQuery } from '../../api/queries';
import { useT } from '../../i18n';
import { duration } from '../../lib/format';
import { wordsOf } from '../../lib/problems';
import { Button, Dialog, Field, Notice, SearchSelect } from '../../ui';

/** A real request for one token with a credential, and what came of it. */
export function TestDialog({ tested, onClose }: { tested: Credential; onClose: () => void }) {
  const t = useT();
  const client = useQueryClient();
  const platforms = useQuery(platformsQuery).data?.items ?? [];
  const models = platforms.find((platform) => platform.id === tested.platform)?.models ?? [];
  const [model, setModel] = useState(
    tested.models?.[0] ?? models.find((known) => known.slot === 'haiku')?.id ?? models[0]?.id ?? '',
  );
  const test = useMutation({
    mutationFn: () =>
      data(
        api.POST('/api/v1/credentials/{credential_id}/test', {
          params: { path: { credential_id: tested.id } },
          body: { model },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: ['credentials'] }),
  });
  const result = test.data;
  return (
    <Dialog
      open
      onClose={onClose}
      width="s"
      title={t('platforms.test.title', { name: tested.name })}
      footer={
        <>
          <Button onClick={onClose}>{t('action.close')}</Button>
          <Button tone="main" busy={test.isPending} disabled={!model} onClick={() => test.mutate()}>
            {t('platforms.test.run')}
          </Button>
        </>
      }
    >
      <Field label={t('platforms.test.model')}>
        <SearchSelect
          free
          value={model}
          onChange={setModel}
          choices={models.map((known) => ({ value: known.id, label: known.id }))}
        />
      </Field>
      {test.error && <Notice tone="bad">{wordsOf(test.error, t)}</Notice>}
      {result && (
        <Notice
          tone={result.ok ? 'ok' : 'bad'}
          {...(result.ok && { icon: CircleCheck })}
          action={
            <Link to="/logs" search={{ id: result.log_id }} className="underline">
              {t('platforms.test.row')}
            </Link>
          }
        >
          {t(result.ok ? 'platforms.test.ok' : 'platforms.test.failed', {
            status: result.http_status ?? '–',
            duration: duration(result.duration_ms),
            message: result.error?.message ?? '',
          })}
        </Notice>
      )}
    </Dialog>
  );
}
