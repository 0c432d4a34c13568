import { expect, test } from 'vitest';
import { typedNumber } from './typed';

test.each([
  ['', null],
  [' 30 ', 30],
  ['-1', -1],
  // Never NaN, which JSON writes as null.
  ['a month', 'a month'],
  ['1.5', '1.5'],
])('%j is sent as %j', (text, sent) => {
  expect(typedNumber(text)).toBe(sent);
});
