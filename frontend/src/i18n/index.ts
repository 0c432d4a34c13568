/** Texts in the person's language: `t('key', { n: 3 })`. Plural forms are keys that end in `_one` and `_other`. */
import { createContext, useContext } from 'react';
import type { en } from './en';

export const LANGUAGES = ['en', 'zh-CN'] as const;
export type Language = (typeof LANGUAGES)[number];
type Written = keyof typeof en;
type WithoutForm<Name> = Name extends `${infer Stem}_one` ? Stem : Name extends `${infer Stem}_other` ? Stem : Name;
export type Key = WithoutForm<Written>;
export type Catalogue = Record<Written, string>;
export type Values = Record<string, string | number>;
export type Translate = (key: Key, values?: Values) => string;

/** The catalogue of a language; each is a chunk of its own, so that a page loads one. */
export async function loadCatalogue(language: Language): Promise<Catalogue> {
  return language === 'zh-CN' ? (await import('./zh-CN')).zhCN : (await import('./en')).en;
}

/** The first of the browser's languages that we speak. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const name of wanted) {
    if (name.toLowerCase().startsWith('zh')) return 'zh-CN';
    if (name.toLowerCase().startsWith('en')) return 'en';
  }
  return 'en';
}

export function makeTranslate(language: Language, catalogue: Catalogue): Translate {
  const plurals = new Intl.PluralRules(language);
  const texts = catalogue as Record<string, string>;
  return (key, values) => {
    let text = texts[key];
    if (text === undefined) {
      const form = plurals.select(Number(values?.['n'] ?? 0)) === 'one' ? 'one' : 'other';
      text = texts[`${key}_${form}`] ?? texts[`${key}_other`] ?? key;
    }
    return values === undefined ? text : text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  };
}

export interface Speech {
  language: Language;
  t: Translate;
  setLanguage: (language: Language) => void;
}

export const SpeechContext = createContext<Speech | null>(null);

export function useSpeech(): Speech {
  const speech = useContext(SpeechContext);
  if (speech === null) throw new Error('no language: wrap the tree in SpeechProvider');
  return speech;
}

export const useT = (): Translate => useSpeech().t;
