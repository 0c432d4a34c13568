/** Where to go after signing in: a path of this page, never another site. */
export function safeNext(next: unknown): string {
  if (typeof next !== 'string' || !next.startsWith('/') || next.startsWith('//') || next.includes('\\')) return '/';
  return new URL(next, 'http://page.invalid').origin === 'http://page.invalid' ? next : '/';
}
