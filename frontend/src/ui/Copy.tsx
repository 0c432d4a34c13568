import { Check, Copy as CopyIcon } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useT } from '../i18n';
import { Button, IconButton } from './Button';

/** Copies; where the browser refuses, the text is selected instead, so that the person can. */
function useCopy(text: string) {
  const [state, setState] = useState<'idle' | 'copied' | 'refused'>('idle');
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (selectable?: HTMLElement | null) => {
    try {
      await navigator.clipboard.writeText(text);
      setState('copied');
    } catch {
      if (selectable) getSelection()?.selectAllChildren(selectable);
      setState('refused');
    }
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setState('idle'), 1200);
  };
  return { state, copy };
}

export function CopyButton({ text, label, size = 's' }: { text: string; label?: string; size?: 's' | 'm' }) {
  const t = useT();
  const { state, copy } = useCopy(text);
  return (
    <>
      <IconButton
        icon={state === 'copied' ? Check : CopyIcon}
        label={label ?? t('action.copy')}
        size={size}
        onClick={(event) => {
          event.stopPropagation();
          void copy(event.currentTarget.parentElement);
        }}
      />
      <span role="status" className="sr-only">
        {state === 'copied' ? t('action.copied') : state === 'refused' ? t('action.copy_by_hand') : ''}
      </span>
    </>
  );
}

/** A block of text to be taken away whole: a secret, a configuration. */
export function CopyBlock({
  text,
  label,
  onCopied,
}: {
  text: string;
  label: string;
  onCopied?: (() => void) | undefined;
}) {
  const t = useT();
  const block = useRef<HTMLPreElement>(null);
  const { state, copy } = useCopy(text);
  return (
    <div className="relative rounded-md border border-line bg-soft">
      {/* Scrolls by keyboard. */}
      <pre
        ref={block}
        tabIndex={0}
        aria-label={label}
        onCopy={onCopied}
        className="max-h-80 overflow-auto p-3 pr-28 font-mono text-sm whitespace-pre-wrap break-all"
      >
        {text}
      </pre>
      <div className="absolute top-2 right-2">
        <Button
          size="s"
          icon={state === 'copied' ? Check : CopyIcon}
          onClick={() => void copy(block.current).then(onCopied)}
        >
          {state === 'copied' ? t('action.copied') : t('action.copy')}
        </Button>
      </div>
      <span role="status" className="sr-only">
        {state === 'copied' ? t('action.copied') : state === 'refused' ? t('action.copy_by_hand') : ''}
      </span>
    </div>
  );
}
