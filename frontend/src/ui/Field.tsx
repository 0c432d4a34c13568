import clsx from 'clsx';
import { CircleAlert, Eye, EyeOff, Search } from 'lucide-react';
import {
  createContext,
  useContext,
  useId,
  useState,
  type InputHTMLAttributes,
  type ReactNode,
  type Ref,
  type TextareaHTMLAttributes,
} from 'react';
import { useT } from '../i18n';

interface Link {
  id: string;
  describedBy: string | undefined;
  invalid: boolean;
}

const FieldContext = createContext<Link | null>(null);

interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  /** What is wrong with the value, in words; null or empty where nothing is. */
  error?: string | null | undefined;
  required?: boolean;
  hideLabel?: boolean;
  children: ReactNode;
}

/** A label, a control, and what is to be said about it; the control inside finds its ids here. */
export function Field({ label, hint, error, required = false, hideLabel = false, children }: FieldProps) {
  const t = useT();
  const id = useId();
  const said = error ? `${id}-error` : hint ? `${id}-hint` : undefined;
  return (
    <FieldContext value={{ id, describedBy: said, invalid: Boolean(error) }}>
      <div className="flex min-w-0 flex-col gap-1">
        <label htmlFor={id} className={clsx('text-sm font-medium', hideLabel && 'sr-only')}>
          {label}
          {required && <span className="text-mut font-normal"> · {t('field.required')}</span>}
        </label>
        {children}
        {error ? (
          <p id={`${id}-error`} className="flex items-start gap-1 text-sm text-bad">
            <CircleAlert className="mt-0.5 size-3.5 shrink-0" aria-hidden />
            {error}
          </p>
        ) : hint ? (
          <p id={`${id}-hint`} className="text-xs text-mut">
            {hint}
          </p>
        ) : null}
      </div>
    </FieldContext>
  );
}

/** The ids and the validity that a control inside a Field must carry. */
export function useFieldLink() {
  const link = useContext(FieldContext);
  return link === null
    ? {}
    : { id: link.id, 'aria-describedby': link.describedBy, 'aria-invalid': link.invalid || undefined };
}

export const inputLook =
  'h-9 w-full min-w-0 rounded-md border border-field/60 bg-panel px-3 text-base text-ink aria-invalid:border-bad disabled:bg-soft disabled:text-mut';

type InputProps = Omit<InputHTMLAttributes<HTMLInputElement>, 'className' | 'style'> & {
  ref?: Ref<HTMLInputElement>;
  mono?: boolean;
};

export function Input({ mono = false, ...props }: InputProps) {
  return <input {...useFieldLink()} {...props} className={clsx(inputLook, mono && 'font-mono text-sm')} />;
}

export function TextArea({
  mono = false,
  ...props
}: Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'className' | 'style'> & { mono?: boolean }) {
  return (
    <textarea
      rows={3}
      {...useFieldLink()}
      {...props}
      className={clsx(inputLook, 'h-auto py-2', mono && 'font-mono text-sm')}
    />
  );
}

export function PasswordInput(props: InputProps) {
  const t = useT();
  const [shown, setShown] = useState(false);
  const Icon = shown ? EyeOff : Eye;
  return (
    <div className="relative">
      <input {...useFieldLink()} {...props} type={shown ? 'text' : 'password'} className={clsx(inputLook, 'pr-10')} />
      <button
        type="button"
        aria-label={t(shown ? 'action.hide_password' : 'action.show_password')}
        aria-pressed={shown}
        onClick={() => setShown(!shown)}
        className="absolute inset-y-1 right-1 inline-flex w-8 items-center justify-center rounded-md hover:bg-soft"
      >
        <Icon className="size-4" aria-hidden />
      </button>
    </div>
  );
}

export function SearchInput({ label, ...props }: InputProps & { label: string }) {
  return (
    <div className="relative min-w-0 flex-1 sm:max-w-64">
      <Search className="pointer-events-none absolute top-2.5 left-2.5 size-4 text-mut" aria-hidden />
      <input
        type="search"
        data-page-filter
        {...props}
        aria-label={label}
        placeholder={label}
        className={clsx(inputLook, 'pl-8')}
      />
    </div>
  );
}

export function Checkbox({
  label,
  ...props
}: Omit<InputHTMLAttributes<HTMLInputElement>, 'className' | 'style' | 'type'> & { label: ReactNode }) {
  return (
    <label className="inline-flex min-h-6 items-center gap-2 text-base">
      <input type="checkbox" {...props} className="size-4 accent-acc" />
      {label}
    </label>
  );
}
