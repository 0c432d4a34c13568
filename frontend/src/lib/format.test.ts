import { expect, test } from 'vitest';
import { duration, money, relative, tokens } from './format';

test.each([
  ['0', 2, '$0.00'],
  ['12.345', 2, '$12.35'],
  ['0.00004', 4, '$0.0000'],
  ['0.00005', 4, '$0.0001'],
  ['1234567.891', 2, '$1,234,567.89'],
  ['-3.5', 2, '-$3.50'],
  ['0.999', 2, '$1.00'],
  // A double would show …99.99 as …100.00.
  ['99999999999999.994', 2, '$99,999,999,999,999.99'],
])('money %s with %i decimals is %s', (amount, decimals, shown) => {
  expect(money(amount, decimals)).toBe(shown);
});

test.each([
  [999, '999'],
  [1000, '1K'],
  [97_516, '97.5K'],
  [28_700_000, '28.7M'],
  [381_200_000, '381M'],
])('%i tokens are shown as %s', (count, shown) => {
  expect(tokens(count)).toBe(shown);
});

test.each([
  [812, '812 ms'],
  [2400, '2.4 s'],
  [59_960, '1 m 0 s'],
  [72_000, '1 m 12 s'],
  [3_720_000, '1 h 2 m'],
])('%i ms are shown as %s', (ms, shown) => {
  expect(duration(ms)).toBe(shown);
});

test('times are told by their distance for seven days, by their date after that', () => {
  const now = new Date('2026-11-24T12:00:00Z');
  expect(relative('2026-11-24T11:55:00Z', 'en', now)).toBe('5 minutes ago');
  expect(relative('2026-11-23T12:00:00Z', 'en', now)).toBe('yesterday');
  expect(relative('2026-11-01T12:00:00Z', 'en', now)).toMatch(/2026/);
});
