import { useState, type ReactNode } from 'react';
import { useT } from '../i18n';
import { Button } from './Button';
import { Dialog } from './Dialog';
import { Field, Input } from './Field';

interface Props {
  open: boolean;
  onClose: () => void;
  title: string;
  /** The effect, in words, with the object's name. */
  children: ReactNode;
  action: string;
  onConfirm: () => Promise<unknown>;
  /** Where set, this must be typed first: for what cannot be taken back. */
  typeName?: string | undefined;
  typeLabel?: string;
}

/** Asks before something that hurts, naming what and whom. */
export function Confirm({ open, onClose, title, children, action, onConfirm, typeName, typeLabel }: Props) {
  const t = useT();
  const [busy, setBusy] = useState(false);
  const [typed, setTyped] = useState('');
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={title}
      width="s"
      footer={
        <>
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button
            tone="danger"
            busy={busy}
            disabled={typeName !== undefined && typed !== typeName}
            onClick={() => {
              setBusy(true);
              void onConfirm().finally(() => setBusy(false));
            }}
          >
            {action}
          </Button>
        </>
      }
    >
      <div className="text-base">{children}</div>
      {typeName !== undefined && (
        <Field label={typeLabel ?? typeName}>
          <Input value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" />
        </Field>
      )}
    </Dialog>
  );
}
