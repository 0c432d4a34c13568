import { expect, test } from 'vitest';
import { readMapping, writeMapping } from './mapping';

const STORED = {
  opus: [{ platform: 'kiro', model: 'claude-opus-4-5', credential_id: 'c1', effort: 'high' }],
  haiku: [{ platform: 'gemini', model: 'gemini-3-flash-preview' }],
  fable: [{ platform: 'anthropic', model: 'claude-fable-5-2' }],
  rules: [{ match: 'claude-3-*', targets: [{ platform: 'bedrock', model: 'x' }] }],
  default: [],
};

test('a mapping that nobody changes is written as it was read, with what the editor does not show', () => {
  expect(writeMapping(readMapping(STORED))).toEqual(STORED);
});

test('the three families are always there, others where they are mapped', () => {
  const { slots, other } = readMapping(STORED);
  expect(Object.keys(slots)).toEqual(['opus', 'sonnet', 'haiku', 'fable']);
  expect(slots['sonnet']).toBeNull();
  expect(other).toEqual([]);
});

test('a family without targets of its own is left to the default mapping', () => {
  expect(writeMapping(readMapping({ opus: null }))).toEqual({});
});
