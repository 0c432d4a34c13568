import { useVirtualizer } from '@tanstack/react-virtual';
import clsx from 'clsx';
import { useEffect, useRef } from 'react';
import type { LogRow } from '../../api/client';
import { useSpeech } from '../../i18n';
import { duration, exact, moment, percent, shortMoment, tokens } from '../../lib/format';
import { useShortcuts } from '../../lib/keys';
import { CostText } from './CostText';
import { inputOf } from './numbers';
import { StatusBadge } from '../status/StatusBadge';

const ROW = 40;
const NEAR_END = 10;
const GRID =
  'grid min-w-[860px] grid-cols-[140px_84px_minmax(90px,1fr)_minmax(200px,3fr)_130px_96px_140px] items-center gap-3 px-4 text-sm';

interface Props {
  rows: readonly LogRow[];
  openId: string | undefined;
  onOpen: (row: LogRow) => void;
  onNearEnd: () => void;
}

/** The log as a list that holds only the rows in sight, however many there are. */
export function LogList({ rows, openId, onOpen, onNearEnd }: Props) {
  const { t, language } = useSpeech();
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
    getItemKey: (index) => rows[index]?.id ?? index,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - NEAR_END) onNearEnd();
  }, [last, rows.length, onNearEnd]);
  const step = (by: number) => {
    const focused = Number(document.activeElement?.closest('[data-index]')?.getAttribute('data-index') ?? -1);
    const next = Math.max(0, Math.min(rows.length - 1, focused + by));
    virtual.scrollToIndex(next);
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"] button`)?.focus());
  };
  useShortcuts({ j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1) });
  return (
    <div
      ref={scroller}
      role="table"
      aria-label={t('nav.logs')}
      aria-rowcount={rows.length + 1}
      tabIndex={0}
      className="relative h-[max(320px,calc(100vh-270px))] overflow-auto rounded-lg"
    >
      <div role="rowgroup" className="sticky top-0 z-10 bg-panel">
        <div role="row" className={clsx(GRID, 'h-10 border-b border-line text-xs font-semibold')}>
          <span role="columnheader">{t('logs.time')}</span>
          <span role="columnheader">{t('logs.status')}</span>
          <span role="columnheader">{t('logs.key')}</span>
          <span role="columnheader">{t('logs.models')}</span>
          <span role="columnheader" className="text-right">
            {t('logs.tokens')}
          </span>
          <span role="columnheader" className="text-right">
            {t('logs.cost')}
          </span>
          <span role="columnheader" className="text-right">
            {t('logs.duration')}
          </span>
        </div>
      </div>
      <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const input = inputOf(row);
          return (
            <div
              key={item.key}
              role="row"
              aria-rowindex={item.index + 2}
              data-index={item.index}
              className={clsx(
                GRID,
                'absolute inset-x-0 top-0 h-10 border-b border-line hover:bg-soft/60',
                row.id === openId && 'bg-acc-soft',
              )}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <span role="cell">
                {/* The whole row opens it: the button covers it. */}
                <button
                  type="button"
                  aria-label={t('logs.open', { time: shortMoment(row.at, language) })}
                  onClick={() => onOpen(row)}
                  className="rounded after:absolute after:inset-0"
                >
                  <time dateTime={row.at} title={moment(row.at, language)}>
                    {shortMoment(row.at, language)}
                  </time>
                </button>
              </span>
              <span role="cell">
                <StatusBadge row={row} />
              </span>
              <span role="cell" className="truncate">
                {row.key?.name ?? '–'}
              </span>
              <span
                role="cell"
                className="truncate"
                title={`${row.requested_model ?? ''} → ${row.platform ?? ''} · ${row.model ?? ''}`}
              >
                {row.requested_model ?? '–'}
                {row.platform !== null && (
                  <span className="text-mut">
                    {' → '}
                    {row.platform} · <span className="text-ink">{row.model}</span>
                  </span>
                )}
              </span>
              <span
                role="cell"
                className="text-right"
                title={
                  row.usage ? `${exact(input, language)} / ${exact(row.usage.output_tokens, language)}` : undefined
                }
              >
                {row.usage === null ? (
                  <span className="text-mut">–</span>
                ) : (
                  <>
                    {tokens(input)} / {tokens(row.usage.output_tokens)}
                    {input > 0 && row.usage.cache_read_tokens > 0 && (
                      <span className="sr-only">
                        {t('logs.cache_share', { share: percent(row.usage.cache_read_tokens / input, 0) })}
                      </span>
                    )}
                  </>
                )}
              </span>
              <span role="cell" className="text-right">
                <CostText row={row} />
              </span>
              <span role="cell" className="text-right whitespace-nowrap">
                {row.ttft_ms === null ? <span className="text-mut">–</span> : duration(row.ttft_ms)} /{' '}
                {duration(row.duration_ms)}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
