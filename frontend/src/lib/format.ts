/** Numbers, money and time as people read them (ui.md §5.5). */

const SCALES = [
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'K'],
] as const;

/** 28700000 → 28.7M: the same letters in every language, since prices are given per 1M tokens. */
export function tokens(count: number): string {
  for (const [scale, letter] of SCALES) {
    if (count >= scale) {
      const value = count / scale;
      return `${value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, '')}${letter}`;
    }
  }
  return String(count);
}

export const exact = (count: number, language: string): string => new Intl.NumberFormat(language).format(count);

/** USD with two decimals in sums and four for single requests; the decimal string is shown whole in a tooltip. */
export function money(amount: string, decimals = 2): string {
  const [, sign = '', whole = '0', part = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
  // Rounded as text: a double would lose the last digits of a long sum.
  const padded = part.padEnd(decimals + 1, '0');
  let digits = BigInt(whole + padded.slice(0, decimals));
  if (padded.charCodeAt(decimals) >= 53) digits += 1n;
  const text = digits.toString().padStart(decimals + 1, '0');
  const grouped = text.slice(0, text.length - decimals).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${sign}$${grouped}${decimals > 0 ? `.${text.slice(-decimals)}` : ''}`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return seconds < 3600
    ? `${Math.floor(seconds / 60)} m ${seconds % 60} s`
    : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} m`;
}

export function percent(share: number, decimals = 1): string {
  return `${(share * 100).toFixed(decimals)}%`;
}

export function moment(at: string | Date, language: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(language, {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZone,
  }).format(new Date(at));
}

/** A time of this year without its year: rows are many, the year is the same. */
export function shortMoment(at: string | Date, language: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(language, {
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZone,
  }).format(new Date(at));
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** «5 minutes ago» up to seven days, the date after that. */
export function relative(at: string | Date, language: string, now: Date = new Date()): string {
  const seconds = (new Date(at).getTime() - now.getTime()) / 1000;
  if (Math.abs(seconds) > 7 * 86_400) {
    return new Intl.DateTimeFormat(language, { year: 'numeric', month: '2-digit', day: '2-digit' }).format(
      new Date(at),
    );
  }
  const words = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length || unit === 'second') return words.format(Math.trunc(seconds / length), unit);
  }
  return words.format(0, 'second');
}
