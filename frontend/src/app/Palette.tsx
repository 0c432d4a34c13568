import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useId, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { keysQuery } from '../api/queries';
import { useT } from '../i18n';
import { Dialog } from '../ui';
import { pageName, PAGES } from './pages';
import { useMe } from './session';

interface Found {
  id: string;
  label: string;
  note?: string;
  go: () => void;
}

const MOST = 12;

/** Pages, keys by name and requests by id, from the keyboard. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const t = useT();
  const me = useMe();
  const navigate = useNavigate();
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const list = useId();
  const input = useRef<HTMLInputElement>(null);
  const keys = useInfiniteQuery(keysQuery());
  const found = useMemo(() => {
    const wanted = typed.trim().toLowerCase();
    const all: Found[] = PAGES.flatMap((page) => {
      const name = pageName(page, me.role);
      return name === null
        ? []
        : [{ id: page.path, label: t(name), note: page.path, go: () => void navigate({ to: page.path }) }];
    });
    for (const key of wanted ? (keys.data?.pages ?? []).flatMap((page) => page.items) : []) {
      all.push({
        id: key.id,
        label: key.name,
        note: key.prefix,
        go: () => void navigate({ to: '/keys', search: { q: key.name } }),
      });
    }
    const matching = all.filter((entry) => `${entry.label} ${entry.note ?? ''}`.toLowerCase().includes(wanted));
    if (/^(req_|msg_|[0-9a-f]{8}-)/.test(wanted)) {
      matching.push({
        id: 'request',
        label: t('app.palette.request', { id: typed.trim() }),
        go: () => void navigate({ to: '/logs', search: { q: typed.trim() } }),
      });
    }
    return matching.slice(0, MOST);
  }, [typed, keys.data, me.role, navigate, t]);

  const choose = (entry: Found | undefined) => {
    if (entry === undefined) return;
    onClose();
    entry.go();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setAt((now) => Math.min(now + 1, found.length - 1));
    else if (event.key === 'ArrowUp') setAt((now) => Math.max(now - 1, 0));
    else if (event.key === 'Enter') choose(found[at]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog open onClose={onClose} title={t('app.palette')} width="s" initialFocus={input}>
      <input
        ref={input}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={found[at] && `${list}-${at}`}
        aria-label={t('app.palette')}
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        className="h-10 w-full rounded-md border border-field/60 bg-panel px-3 text-lg"
      />
      <div id={list} role="listbox" aria-label={t('app.palette')} className="min-h-40 pb-4">
        {found.map((entry, index) => (
          // The keys move the selection from the input; the mouse chooses directly.
          <div
            key={entry.id}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onMouseEnter={() => setAt(index)}
            onMouseDown={(event) => {
              event.preventDefault();
              choose(entry);
            }}
            className={`flex h-9 cursor-pointer items-center gap-2 rounded-md px-2 text-base ${index === at ? 'bg-soft' : ''}`}
          >
            <span className="truncate">{entry.label}</span>
            <span className="ml-auto truncate font-mono text-xs text-mut">{entry.note}</span>
          </div>
        ))}
      </div>
      {found.length === 0 && <p className="-mt-40 pb-36 text-center text-base text-mut">{t('app.palette.empty')}</p>}
    </Dialog>
  );
}
