import { useEffect, useRef } from 'react';

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Keyboard shortcuts of the page: `{ n: create }`, or two keys in a row: `{ 'g k': go }`. Off while typing or in a dialog. */
export function useShortcuts(actions: Record<string, (() => void) | undefined>): void {
  const current = useRef(actions);
  useEffect(() => {
    current.current = actions;
  });
  useEffect(() => {
    let before = '';
    let since = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
      if (document.querySelector('[role=dialog]') && !['j', 'k', '[', ']', 'Escape'].includes(event.key)) return;
      const pair = event.timeStamp - since < 1200 ? `${before} ${event.key}` : '';
      const action = current.current[pair] ?? current.current[event.key];
      before = event.key;
      since = event.timeStamp;
      if (action) {
        event.preventDefault();
        action();
      }
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}

/** Puts the focus into the page's filter. */
export function focusFilter(): void {
  document.querySelector<HTMLInputElement>('[data-page-filter]')?.focus();
}
