import { useCallback, useMemo, useState, type ReactNode } from 'react';
import { loadCatalogue, makeTranslate, SpeechContext, type Catalogue, type Language } from '.';
import { remember } from '../lib/memory';

interface Props {
  language: Language;
  catalogue: Catalogue;
  children: ReactNode;
}

export function SpeechProvider({ language, catalogue, children }: Props) {
  const [spoken, setSpoken] = useState({ language, catalogue });
  const setLanguage = useCallback((next: Language) => {
    void loadCatalogue(next).then((texts) => {
      remember('language', next);
      document.documentElement.lang = next;
      setSpoken({ language: next, catalogue: texts });
    });
  }, []);
  const speech = useMemo(
    () => ({ language: spoken.language, t: makeTranslate(spoken.language, spoken.catalogue), setLanguage }),
    [spoken, setLanguage],
  );
  return <SpeechContext.Provider value={speech}>{children}</SpeechContext.Provider>;
}
