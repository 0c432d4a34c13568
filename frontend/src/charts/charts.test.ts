import { expect, test } from 'vitest';
import { coloursOf, OTHER } from './colours';
import { niceTop } from './StackedBars';

test('names that stand together have colours of their own, while there are enough', () => {
  const names = Array.from({ length: 8 }, (_, index) => `model-${index}`);
  const colours = [...coloursOf(names).values()];
  expect(new Set(colours.slice(0, 7)).size).toBe(7);
  expect(colours[7]).toBe(OTHER);
});

test('a name alone keeps its colour wherever it stands', () => {
  expect(coloursOf(['claude-opus-5-5'])).toEqual(coloursOf(['claude-opus-5-5']));
});

test.each([
  [0, 1],
  [0.7, 1],
  [1.2, 2],
  [23, 25],
  [999, 1000],
])('the axis for %d ends at %d', (value, top) => {
  expect(niceTop(value)).toBeCloseTo(top);
});
