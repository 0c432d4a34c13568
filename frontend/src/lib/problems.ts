import { ApiError } from '../api/client';
import type { Translate } from '../i18n';

/** What went wrong, in the person's language. The server sends a stable code; the words are ours. */
export function wordsOf(error: unknown, t: Translate): string {
  if (!(error instanceof ApiError)) return t('error.unknown', { message: String(error) });
  switch (error.code) {
    case 'unreachable':
      return t('state.unreachable');
    case 'wrong_password':
      return t('error.wrong_password');
    case 'not_found':
      return t('error.not_found');
    case 'changed_meanwhile':
      return t('error.changed_meanwhile');
  }
  if (error.status === 403) return t('error.not_allowed');
  if (error.status === 412) return t('error.changed_meanwhile');
  if (error.status === 429) return t('error.too_many', { seconds: error.retryAfterS ?? 60 });
  const [first] = error.errors;
  return t('error.unknown', { message: first ? `${first.field}: ${first.message}` : error.message });
}

/** The words for each field that the server refuses, by its name; what belongs to no field stays under ''. */
export function fieldWords(error: unknown, t: Translate): Record<string, string> {
  if (!(error instanceof ApiError)) return error ? { '': wordsOf(error, t) } : {};
  if (error.errors.length === 0) return { '': wordsOf(error, t) };
  return Object.fromEntries(
    error.errors.map(({ field, code, message }) => [
      field,
      code === 'missing' || code === 'string_too_short' ? t('error.required') : t('error.invalid', { message }),
    ]),
  );
}

/** A failure as the states of a page show it. */
export const described = (t: Translate) => (error: unknown) => ({
  message: wordsOf(error, t),
  requestId: error instanceof ApiError ? error.requestId : null,
});
