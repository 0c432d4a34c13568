import { recall, remember } from './memory';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export function currentTheme(): Theme {
  const known = recall('theme');
  return known === 'light' || known === 'dark' ? known : 'system';
}

/** Puts a theme in force and remembers it; `theme.js` does the same before the first paint. */
export function setTheme(theme: Theme): void {
  remember('theme', theme);
  paint();
}

export function paint(): void {
  const theme = currentTheme();
  const dark = theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.classList.toggle('dark', dark);
}
