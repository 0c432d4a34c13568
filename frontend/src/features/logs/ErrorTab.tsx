import type { LogRow } from '../../api/client';
import { useT, type Key } from '../../i18n';
import { CopyBlock } from '../../ui';

const REMEDIES = [
  'authentication_error',
  'permission_error',
  'rate_limit_error',
  'overloaded_error',
  'invalid_request_error',
  'not_found_error',
  'api_error',
] as const;

/** The error as it was, and what usually helps. */
export function ErrorTab({ error }: { error: NonNullable<LogRow['error']> }) {
  const t = useT();
  const known = REMEDIES.find((type) => type === error.type) ?? 'api_error';
  return (
    <div className="flex flex-col gap-3 text-sm">
      <p className="font-mono">{error.type}</p>
      <CopyBlock text={error.message} label={t('logs.tab.error')} />
      <section>
        <h3 className="font-semibold">{t('logs.remedy')}</h3>
        <p>{t(`logs.remedy.${known}` satisfies Key)}</p>
      </section>
    </div>
  );
}
