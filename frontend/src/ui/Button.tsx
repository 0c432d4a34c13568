import clsx from 'clsx';
import { LoaderCircle, type LucideIcon } from 'lucide-react';
import type { ButtonHTMLAttributes, Ref } from 'react';

type Tone = 'main' | 'plain' | 'quiet' | 'danger';

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'className' | 'style'> {
  tone?: Tone;
  /** An icon before the text. */
  icon?: LucideIcon;
  size?: 'm' | 's';
  /** Shows that what the button began still runs; the button keeps its width and takes no second click. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

const TONES: Record<Tone, string> = {
  main: 'border-acc bg-acc text-on-acc hover:opacity-90',
  plain: 'border-line bg-panel text-ink hover:bg-soft',
  quiet: 'border-transparent bg-transparent text-ink hover:bg-soft',
  danger: 'border-bad bg-panel text-bad hover:bg-bad-soft',
};

const LOOK =
  'relative inline-flex items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap select-none transition-colors';

export function buttonLook(tone: Tone = 'plain', size: 'm' | 's' = 'm'): string {
  return clsx(LOOK, TONES[tone], size === 'm' ? 'h-9 px-3 text-base' : 'h-7 px-2 text-sm');
}

export function Button({
  tone = 'plain',
  icon: Icon,
  size = 'm',
  busy = false,
  disabled,
  children,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled}
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : rest.onClick}
      className={clsx(buttonLook(tone, size), disabled && 'cursor-not-allowed border-line! bg-soft! text-mut!')}
    >
      {busy && <LoaderCircle className="absolute size-4 animate-spin" aria-hidden />}
      {Icon && <Icon className={clsx('size-4 shrink-0', busy && 'invisible')} aria-hidden />}
      <span className={clsx(busy && 'opacity-0')}>{children}</span>
    </button>
  );
}

export interface IconButtonProps extends Omit<
  ButtonHTMLAttributes<HTMLButtonElement>,
  'className' | 'style' | 'children'
> {
  icon: LucideIcon;
  /** What it does, in words: for screen readers and as the tooltip. */
  label: string;
  pressed?: boolean;
  size?: 'm' | 's';
  framed?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function IconButton({ icon: Icon, label, pressed, size = 'm', framed = false, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      aria-label={label}
      aria-pressed={pressed}
      title={label}
      className={clsx(
        'inline-flex shrink-0 items-center justify-center rounded-md hover:bg-soft disabled:cursor-not-allowed disabled:text-mut',
        framed && 'border border-line bg-panel',
        pressed ? 'text-acc' : 'text-ink',
        size === 'm' ? 'size-9' : 'size-7',
      )}
    >
      <Icon className="size-4" aria-hidden />
    </button>
  );
}
