/** Colours of series. A colour belongs to a name, not to its rank, so that a model keeps it on every page. */
const SERIES = ['#5b6ee1', '#e08a3c', '#2f9e8f', '#c2527f', '#8a7be0', '#b59a2a', '#5aa0d6'];
export const OTHER = '#8b909c';

function firstChoice(name: string): number {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return hash % SERIES.length;
}

/** Colours for names that stand together: each its own while there are enough, beginning with the one it has elsewhere. */
export function coloursOf(names: readonly string[]): Map<string, string> {
  const taken = new Set<string>();
  return new Map(
    names.map((name) => {
      const start = firstChoice(name);
      const inTurn = SERIES.map((_, step) => SERIES[(start + step) % SERIES.length] ?? OTHER);
      const colour = inTurn.find((free) => !taken.has(free)) ?? OTHER;
      taken.add(colour);
      return [name, colour];
    }),
  );
}
