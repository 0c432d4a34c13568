import { useState, type FormEvent } from 'react';
import { useT } from '../i18n';
import { wordsOf } from '../lib/problems';
import { Button, Dialog, Field, PasswordInput } from '../ui';
import { signIn } from './session';

/** Over the page when the session has ended: what was typed below stays. */
export function SignInAgain({ login }: { login: string }) {
  const t = useT();
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      await signIn(login, password);
    } catch (refusal) {
      setError(wordsOf(refusal, t));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={() => undefined}
      dismissible={false}
      width="s"
      title={t('state.session_ended')}
      description={t('state.session_ended.hint')}
    >
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-3 pb-4">
        <input
          type="text"
          name="username"
          autoComplete="username"
          value={login}
          readOnly
          className="sr-only"
          tabIndex={-1}
          aria-hidden
        />
        <Field label={`${t('sign_in.password')} (${login})`} error={error}>
          <PasswordInput
            value={password}
            onChange={(event) => setPassword(event.target.value)}
            autoComplete="current-password"
          />
        </Field>
        <Button tone="main" type="submit" busy={busy}>
          {t('sign_in.again')}
        </Button>
      </form>
    </Dialog>
  );
}
