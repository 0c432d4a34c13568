/**
 * What was typed into a field for a number: the number, null where it is empty, and else the text as it is, so that the
 * server refuses it at its field. `Number` would make NaN of it, which travels as null: «no limit».
 */
export function typedNumber(text: string): number | null {
  const value = text.trim();
  if (!value) return null;
  return /^-?\d+$/.test(value) ? Number(value) : (value as unknown as number);
}
