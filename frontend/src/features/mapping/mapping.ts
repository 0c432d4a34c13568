/** A key's mapping (product.md §4) as the editor works on it, and back to JSON without losing what it does not show. */

export interface Target {
  platform: string;
  model: string;
  credential_id?: string | null;
  effort?: string | null;
}

export type Mapping = Record<string, unknown>;

export const SLOTS = ['opus', 'sonnet', 'haiku'] as const;

export interface EditedMapping {
  /** A chain for each family; null: the default mapping's. */
  slots: Record<string, Target[] | null>;
  /** For any other name: null passes it on, an empty list refuses. */
  other: Target[] | null;
  /** Members that the editor leaves alone, such as `rules`. */
  rest: Mapping;
}

const isTarget = (value: unknown): value is Target =>
  typeof value === 'object' && value !== null && 'platform' in value && 'model' in value;

const chain = (value: unknown): Target[] | null => (Array.isArray(value) ? value.filter(isTarget) : null);

export function readMapping(document: Mapping): EditedMapping {
  const { rules, default: other, ...slots } = document;
  const names = new Set<string>([...SLOTS, ...Object.keys(slots)]);
  return {
    slots: Object.fromEntries([...names].map((name) => [name, chain(slots[name])])),
    other: chain(other),
    rest: Array.isArray(rules) && rules.length > 0 ? { rules } : {},
  };
}

export function writeMapping({ slots, other, rest }: EditedMapping): Mapping {
  const given = Object.entries(slots).filter(([, targets]) => targets !== null);
  return { ...rest, ...Object.fromEntries(given), ...(other !== null && { default: other }) };
}

/** «kiro · claude-sonnet-4-5» for each target of a chain. */
export const chainWords = (targets: readonly Target[]): string =>
  targets.map((target) => `${target.platform} · ${target.model}`).join(' → ');
