import { useQuery } from '@tanstack/react-query';
import { metaQuery } from '../../api/queries';
import { useT } from '../../i18n';
import { CopyBlock, Tabs } from '../../ui';
import { snippets } from './snippets';

/** The lines that connect Claude Code, for each place they may go. */
export function Connect({ secret, onCopied }: { secret: string; onCopied?: () => void }) {
  const t = useT();
  const meta = useQuery(metaQuery);
  const publicUrl = meta.data?.public_url || location.origin;
  return (
    <div className="flex flex-col gap-2">
      <h3 className="text-base font-semibold">{t('created.connect')}</h3>
      <Tabs
        label={t('created.connect')}
        tabs={snippets(publicUrl, secret).map((snippet) => ({
          id: snippet.id,
          label: t(`config.${snippet.id}`),
          content: <CopyBlock text={snippet.text} label={t(`config.${snippet.id}`)} onCopied={onCopied} />,
        }))}
      />
      <ul className="list-disc pl-5 text-sm text-mut">
        <li>{t('config.note.file')}</li>
        <li>{t('config.note.token')}</li>
      </ul>
    </div>
  );
}
