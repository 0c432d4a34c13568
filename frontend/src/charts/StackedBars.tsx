import { useId, useState, type KeyboardEvent } from 'react';
import { useT } from '../i18n';

export interface Series {
  id: string;
  name: string;
  colour: string;
  values: number[];
}

interface Props {
  title: string;
  /** The words below each bar. */
  labels: string[];
  series: Series[];
  format: (value: number) => string;
}

const WIDTH = 800;
const HEIGHT = 240;
const LEFT = 56;
const BOTTOM = 24;
const TOP = 8;
/** More labels than these would run into each other. */
const MOST_LABELS = 8;

/** The next round number at or above a value, so that the axis has readable ticks. */
export function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** Stacked bars with a legend that hides series, a tooltip, arrow keys, and the same values as a table. */
export function StackedBars({ title, labels, series, format }: Props) {
  const t = useT();
  const hint = useId();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState<number | null>(null);
  const shown = series.filter(({ id }) => !hidden.has(id));
  const sums = labels.map((_, index) => shown.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
  const top = niceTop(Math.max(0, ...sums));
  const slot = (WIDTH - LEFT) / Math.max(1, labels.length);
  const bar = Math.max(1, Math.min(48, slot * 0.7));
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const every = Math.ceil(labels.length / MOST_LABELS);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    setAt((now) => Math.max(0, Math.min(labels.length - 1, (now ?? (step > 0 ? -1 : labels.length)) + step)));
  };
  return (
    <figure className="relative flex min-w-0 flex-col gap-2">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={title}
        aria-describedby={hint}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onMouseLeave={() => setAt(null)}
        onBlur={() => setAt(null)}
        className="w-full rounded"
      >
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <g key={part}>
            <line x1={LEFT} x2={WIDTH} y1={y(top * part)} y2={y(top * part)} className="stroke-line" />
            <text x={LEFT - 8} y={y(top * part) + 4} textAnchor="end" className="fill-mut text-[11px]">
              {format(top * part)}
            </text>
          </g>
        ))}
        {labels.map((label, index) => {
          const x = LEFT + slot * index + (slot - bar) / 2;
          const parts = shown.map(({ id, colour, values }) => ({ id, colour, value: values[index] ?? 0 }));
          return (
            <g key={label} onMouseEnter={() => setAt(index)}>
              <rect
                x={LEFT + slot * index}
                y={0}
                width={slot}
                height={HEIGHT - BOTTOM}
                className={index === at ? 'fill-soft' : 'fill-transparent'}
              />
              {parts.map(({ id, colour, value }, place) => {
                if (value <= 0) return null;
                const below = parts.slice(0, place + 1).reduce((sum, part) => sum + part.value, 0);
                return (
                  <rect key={id} x={x} y={y(below)} width={bar} height={Math.max(0.5, y(0) - y(value))} fill={colour} />
                );
              })}
              {index % every === 0 && (
                <text x={x + bar / 2} y={HEIGHT - 6} textAnchor="middle" className="fill-mut text-[11px]">
                  {label}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      <p id={hint} className="sr-only">
        {t('chart.hint')}
      </p>
      {at !== null && (
        <div
          role="status"
          className="pointer-events-none absolute top-0 z-10 min-w-40 rounded-md border border-line bg-panel p-2 text-xs shadow-float"
          style={at > labels.length / 2 ? { left: 0 } : { right: 0 }}
        >
          <p className="font-semibold">
            {labels[at]} · {format(sums[at] ?? 0)}
          </p>
          <ul>
            {shown
              .filter(({ values }) => (values[at] ?? 0) > 0)
              .map(({ id, name, colour, values }) => (
                <li key={id} className="flex items-center gap-1.5">
                  <span className="size-2 rounded-full" style={{ background: colour }} aria-hidden />
                  <span className="truncate">{name}</span>
                  <span className="ml-auto pl-3">{format(values[at] ?? 0)}</span>
                </li>
              ))}
          </ul>
        </div>
      )}
      {series.length > 1 && (
        <ul className="flex flex-wrap gap-x-3 gap-y-1">
          {series.map(({ id, name, colour }) => (
            <li key={id}>
              <button
                type="button"
                aria-pressed={!hidden.has(id)}
                onClick={() =>
                  setHidden((now) => {
                    const next = new Set(now);
                    if (!next.delete(id)) next.add(id);
                    return next;
                  })
                }
                className={`inline-flex min-h-6 items-center gap-1.5 rounded px-1 text-xs ${hidden.has(id) ? 'text-mut line-through' : ''}`}
              >
                <span
                  className="size-2.5 rounded-full"
                  style={{ background: hidden.has(id) ? 'transparent' : colour, border: `2px solid ${colour}` }}
                  aria-hidden
                />
                {name}
              </button>
            </li>
          ))}
        </ul>
      )}
      <details className="text-xs">
        <summary className="min-h-6 cursor-pointer rounded text-mut">{t('usage.table')}</summary>
        <div className="mt-2 max-h-60 overflow-auto" tabIndex={0} role="region" aria-label={title}>
          <table className="w-full">
            <thead>
              <tr className="text-left">
                <td aria-hidden />
                {series.map(({ id, name }) => (
                  <th key={id} scope="col" className="px-2 py-1 text-right font-medium">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {labels.map((label, index) => (
                <tr key={label} className="border-t border-line">
                  <th scope="row" className="py-1 pr-2 text-left font-normal whitespace-nowrap">
                    {label}
                  </th>
                  {series.map(({ id, values }) => (
                    <td key={id} className="px-2 py-1 text-right">
                      {format(values[index] ?? 0)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
