/** A platform's `auth` and `options` as JSON schema, read into fields; what a form cannot show stays JSON. */

interface Member {
  type?: string;
  anyOf?: Member[];
  enum?: (string | null)[];
  format?: string;
  description?: string;
  examples?: unknown[];
  default?: unknown;
}

export interface SchemaField {
  name: string;
  kind: 'secret' | 'text' | 'number' | 'boolean' | 'choice';
  choices: string[];
  required: boolean;
  example: string;
  fallback: unknown;
}

const plain = (member: Member): Member => member.anyOf?.find((part) => part.type !== 'null') ?? member;

/** The fields of an object schema that a form can show, in its order; others (objects, lists) are left out. */
export function fieldsOf(schema: Record<string, unknown>): SchemaField[] {
  const properties = (schema['properties'] ?? {}) as Record<string, Member>;
  const required = new Set((schema['required'] ?? []) as string[]);
  return Object.entries(properties).flatMap(([name, member]) => {
    const inner = plain(member);
    const kind =
      inner.enum !== undefined
        ? 'choice'
        : inner.format === 'password'
          ? 'secret'
          : inner.type === 'string'
            ? 'text'
            : inner.type === 'integer' || inner.type === 'number'
              ? 'number'
              : inner.type === 'boolean'
                ? 'boolean'
                : null;
    if (kind === null) return [];
    return [
      {
        name,
        kind,
        choices: (inner.enum ?? []).filter((value): value is string => typeof value === 'string'),
        required: required.has(name),
        example: String(inner.examples?.[0] ?? ''),
        fallback: member.default ?? null,
      },
    ];
  });
}

/** What was typed as the values that the schema names; empty fields are left out. */
export function valuesOf(fields: SchemaField[], typed: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    fields.flatMap(({ name, kind }): [string, unknown][] => {
      const value = (typed[name] ?? '').trim();
      if (!value) return [];
      if (kind === 'boolean') return [[name, value === 'true']];
      return [[name, kind === 'number' ? Number(value) : value]];
    }),
  );
}

/** The object that a text holds, null where it holds none. */
export function readObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
