import { useQuery } from '@tanstack/react-query';
import { CircleCheck, LoaderCircle } from 'lucide-react';
import { useState } from 'react';
import { api, data, type NewKey } from '../../api/client';
import { useT } from '../../i18n';
import { duration } from '../../lib/format';
import { Button, CopyBlock, Dialog, Notice } from '../../ui';
import { Connect } from './Connect';

/** Shows a key's secret, this once; closes only on a word, so that nobody loses it by a stray click. */
export function CreatedDialog({ created, onClose }: { created: NewKey; onClose: () => void }) {
  const t = useT();
  const [copied, setCopied] = useState(false);
  const [asking, setAsking] = useState(false);
  const first = useQuery({
    queryKey: ['logs', 'first', created.id],
    queryFn: () => data(api.GET('/api/v1/logs', { params: { query: { key_id: [created.id], limit: 1 } } })),
    refetchInterval: (query) => (query.state.data?.items.length ? false : 2000),
  });
  const row = first.data?.items[0];
  return (
    <Dialog
      open
      dismissible={false}
      onClose={onClose}
      title={t('created.title')}
      footer={
        asking ? (
          <>
            <span className="self-center text-base">{t('created.not_copied')}</span>
            <Button onClick={() => setAsking(false)}>{t('action.cancel')}</Button>
            <Button tone="danger" onClick={onClose}>
              {t('created.close')}
            </Button>
          </>
        ) : (
          <Button tone="main" onClick={() => (copied ? onClose() : setAsking(true))}>
            {t('created.saved')}
          </Button>
        )
      }
    >
      <Notice>{t('created.once')}</Notice>
      <CopyBlock text={created.key} label={t('created.key')} onCopied={() => setCopied(true)} />
      <Connect secret={created.key} onCopied={() => setCopied(true)} />
      <p role="status" className="flex items-center gap-2 text-base">
        {row ? (
          <CircleCheck className="size-4 text-ok" aria-hidden />
        ) : (
          <LoaderCircle className="size-4 animate-spin text-mut" aria-hidden />
        )}
        {row
          ? t('created.received', {
              model: row.requested_model ?? '–',
              status: row.http_status ?? row.status,
              duration: duration(row.duration_ms),
            })
          : t('created.waiting')}
      </p>
    </Dialog>
  );
}
