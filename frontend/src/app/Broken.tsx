import { Link, type ErrorComponentProps } from '@tanstack/react-router';
import { Compass } from 'lucide-react';
import { useEffect } from 'react';
import { useT } from '../i18n';
import { Button, buttonLook, Empty, Failure } from '../ui';

export function MissingPage() {
  const t = useT();
  useEffect(() => {
    document.title = `${t('state.not_found')} · ${t('app.name')}`;
  }, [t]);
  return (
    <main>
      <Empty
        icon={Compass}
        title={t('state.not_found')}
        hint={t('state.not_found.hint')}
        action={
          <Link to="/" className={buttonLook('main')}>
            {t('state.back_home')}
          </Link>
        }
      />
    </main>
  );
}

const RELOADED = 'ccr.reloaded';

/** What is shown when a page throws. A chunk that cannot be had is an old tab after a deploy: reload, once. */
export function BrokenPage({ error, reset }: ErrorComponentProps) {
  const t = useT();
  const message = error instanceof Error ? error.message : String(error);
  const outdated = /dynamically imported module|module script/i.test(message);
  useEffect(() => {
    if (outdated && sessionStorage.getItem(RELOADED) === null) {
      sessionStorage.setItem(RELOADED, '1');
      location.reload();
    }
  }, [outdated]);
  return (
    <main>
      {outdated ? (
        <Empty
          title={t('app.new_version')}
          action={<Button onClick={() => location.reload()}>{t('app.reload')}</Button>}
        />
      ) : (
        <Failure title={t('state.error')} message={message} onRetry={reset} />
      )}
    </main>
  );
}
