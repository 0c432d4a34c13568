import { Dialog as Base } from '@base-ui/react/dialog';
import clsx from 'clsx';
import { X } from 'lucide-react';
import type { ReactNode, RefObject } from 'react';
import { useT } from '../i18n';
import { IconButton } from './Button';

interface Props {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  description?: ReactNode;
  children?: ReactNode;
  /** The buttons below, right-aligned. */
  footer?: ReactNode;
  width?: 's' | 'm' | 'l';
  /** Whether Escape and a click beside it close the dialog; where they do not, only its buttons do. */
  dismissible?: boolean;
  initialFocus?: RefObject<HTMLElement | null>;
}

const WIDTHS = { s: 'sm:max-w-[420px]', m: 'sm:max-w-[620px]', l: 'sm:max-w-[860px]' };
const BACKDROP = 'fade fixed inset-0 z-40 bg-black/40 dark:bg-black/60';

/** A dialog over the page; on a phone it takes the whole screen. */
export function Dialog({
  open,
  onClose,
  title,
  description,
  children,
  footer,
  width = 'm',
  dismissible = true,
  initialFocus,
}: Props) {
  const t = useT();
  return (
    <Base.Root
      open={open}
      onOpenChange={(next, details) => {
        if (next) return;
        // A click beside a dialog never throws typed text away; Escape and the cross ask the owner.
        if (!dismissible && details.reason !== 'close-press') return;
        onClose();
      }}
      disablePointerDismissal
    >
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup
          {...(initialFocus && { initialFocus })}
          className={clsx(
            'fade fixed inset-0 z-40 m-auto flex flex-col overflow-hidden bg-panel shadow-float outline-none sm:h-fit sm:max-h-[90vh] sm:w-[calc(100vw-32px)] sm:rounded-lg',
            WIDTHS[width],
          )}
        >
          <div className="flex items-start gap-3 px-5 pt-4 pb-2">
            <div className="min-w-0 flex-1">
              <Base.Title className="text-lg font-semibold break-words">{title}</Base.Title>
              {description && <Base.Description className="mt-1 text-base text-mut">{description}</Base.Description>}
            </div>
            {dismissible && <IconButton icon={X} label={t('action.close')} size="s" onClick={onClose} />}
          </div>
          {/* The body scrolls, so it must be reachable by keyboard even where nothing in it takes the focus. */}
          <div className="flex min-h-0 flex-col gap-4 overflow-y-auto px-5 py-2" tabIndex={-1}>
            {children}
          </div>
          {footer && <div className="mt-auto flex flex-wrap justify-end gap-2 px-5 pt-3 pb-4">{footer}</div>}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

interface SheetProps {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  side?: 'right' | 'left';
  width?: string;
}

/** A panel at the side of the screen: a row's details, or the navigation on a phone. */
export function Sheet({ open, onClose, title, actions, children, side = 'right', width = 'sm:w-[600px]' }: SheetProps) {
  const t = useT();
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup
          className={clsx(
            'fade fixed inset-y-0 z-40 flex w-full max-w-full flex-col bg-panel shadow-float outline-none',
            width,
            side === 'right' ? 'slide right-0' : 'left-0',
          )}
        >
          <div className="flex items-center gap-2 border-b border-line px-5 py-3">
            <Base.Title className="min-w-0 flex-1 truncate text-lg font-semibold">{title}</Base.Title>
            {actions}
            <IconButton icon={X} label={t('action.close')} size="s" onClick={onClose} />
          </div>
          {/* Scrolls by keyboard too. */}
          <div className="min-h-0 flex-1 overflow-y-auto" tabIndex={-1}>
            {children}
          </div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}
