import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Languages, Route } from 'lucide-react';
import { useEffect, useState, type FormEvent, type KeyboardEvent } from 'react';
import { ApiError } from '../../api/client';
import { meQuery, metaQuery } from '../../api/queries';
import { ThemeMenu } from '../../app/Shell';
import { signIn } from '../../app/session';
import { useSpeech } from '../../i18n';
import { safeNext } from '../../lib/next';
import { wordsOf } from '../../lib/problems';
import { Button, buttonLook, Field, Input, Notice, PasswordInput } from '../../ui';

export default function LoginPage() {
  const { t, language, setLanguage } = useSpeech();
  const navigate = useNavigate();
  const { next } = useSearch({ from: '/login' });
  const meta = useQuery(metaQuery);
  const me = useQuery({ ...meQuery, retry: false });
  const [username, setUsername] = useState('admin');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [caps, setCaps] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [lockedUntil, setLockedUntil] = useState(0);
  const lockedS = useCountdown(lockedUntil);
  useEffect(() => {
    document.title = `${t('sign_in.title')} · ${t('app.name')}`;
  }, [t]);
  useEffect(() => {
    if (me.data !== undefined) void navigate({ to: safeNext(next), replace: true });
  }, [me.data, navigate, next]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await signIn(username, password);
      void navigate({ to: safeNext(next), replace: true });
    } catch (refusal) {
      if (refusal instanceof ApiError && refusal.status === 429)
        setLockedUntil(Date.now() + (refusal.retryAfterS ?? 60) * 1000);
      else setError(wordsOf(refusal, t));
    } finally {
      setBusy(false);
    }
  };
  const watchCaps = (event: KeyboardEvent) => setCaps(event.getModifierState('CapsLock'));
  return (
    <main className="flex min-h-screen flex-col">
      <div className="flex justify-end gap-2 p-4">
        <button
          type="button"
          lang={language === 'en' ? 'zh-CN' : 'en'}
          onClick={() => setLanguage(language === 'en' ? 'zh-CN' : 'en')}
          className={buttonLook('plain')}
        >
          <Languages className="size-4" aria-hidden />
          {t('app.language.switch')}
        </button>
        <ThemeMenu />
      </div>
      <div className="m-auto flex w-full max-w-[400px] flex-col gap-4 p-4">
        <div className="flex flex-col items-center gap-3">
          <Route className="size-10 text-acc" aria-hidden />
          <h1 className="text-xl font-semibold">{t('app.name')}</h1>
        </div>
        <div className="flex flex-col gap-4 rounded-lg border border-line bg-panel p-6">
          {meta.data?.sign_in.includes('github') && (
            <>
              <a
                href={`/api/v1/auth/github?next=${encodeURIComponent(safeNext(next))}`}
                className={buttonLook('plain')}
              >
                {t('sign_in.github')}
              </a>
              <div className="flex items-center gap-3 text-sm text-mut">
                <span className="h-px flex-1 bg-line" />
                {t('sign_in.or')}
                <span className="h-px flex-1 bg-line" />
              </div>
            </>
          )}
          <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
            {lockedS > 0 ? (
              <Notice tone="bad">{t('sign_in.locked', { seconds: lockedS })}</Notice>
            ) : (
              error && <Notice tone="bad">{error}</Notice>
            )}
            <Field label={t('sign_in.username')}>
              <Input
                value={username}
                onChange={(event) => setUsername(event.target.value)}
                name="username"
                autoComplete="username"
                required
              />
            </Field>
            <Field label={t('sign_in.password')} hint={caps ? t('sign_in.caps') : undefined}>
              <PasswordInput
                value={password}
                onChange={(event) => setPassword(event.target.value)}
                onKeyUp={watchCaps}
                name="password"
                autoComplete="current-password"
                required
              />
            </Field>
            <Button tone="main" type="submit" busy={busy} disabled={lockedS > 0}>
              {t('sign_in.submit')}
            </Button>
          </form>
        </div>
        <p className="text-center text-sm text-mut">{t('sign_in.first_password')}</p>
      </div>
      <footer className="p-4 text-center text-xs text-mut">{meta.data && `v${meta.data.version}`}</footer>
    </main>
  );
}

/** Whole seconds until a moment, counting down. */
function useCountdown(until: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (until <= Date.now()) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, Math.ceil((until - now) / 1000));
}
