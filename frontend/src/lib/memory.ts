/** What this browser remembers between visits: language and theme, never a secret. */
type Name = 'language' | 'theme' | 'columns';

export function recall(name: Name): string | null {
  try {
    return localStorage.getItem(`ccr.${name}`);
  } catch {
    // A browser may close its storage to us; then nothing is remembered, and everything else works.
    return null;
  }
}

export function remember(name: Name, value: string): void {
  try {
    localStorage.setItem(`ccr.${name}`, value);
  } catch {
    // As above.
  }
}
