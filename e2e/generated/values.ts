import type { Random } from './random.ts';

/** The part of JSON Schema that our documents use. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly format?: string;
  readonly additionalProperties?: Schema | boolean;
}

export interface World {
  readonly random: Random;
  readonly resolve: (reference: string) => Schema;
  /** Ids that exist, by the name of the member that refers to them (`supplier_id`), and names of things. */
  readonly known: ReadonlyMap<string, readonly unknown[]>;
}

const hostile: readonly unknown[] = [
  '', ' ', '0', '-1', 'null', 'undefined', 'NaN', 'Infinity', "'; drop table purpose; --", '" or 1=1', '%', '_', '\\',
  '%00', '\u0000', 'a\u0000b', '\ud800', '\u202e\u0000txt', '${7*7}', '{{7*7}}', '<script>alert(1)</script>',
  '../../etc/passwd', '\r\nSet-Cookie: a=b', 'א'.repeat(3000), '🧨'.repeat(1500), 'x'.repeat(20_000), '9'.repeat(400),
  '1e999', '-1e999', '0x10', '１２', '2026-02-30', '0000-00-00', '10000-01-01', '2026-11-23T25:00:00Z', '__proto__',
  'constructor', 'toString', 0, -0, -1, 1.5, 2_147_483_647, 2_147_483_648, -2_147_483_649, 1e308,
  Number.MAX_SAFE_INTEGER, 1e15, true, false, null, [], {}, [[]], [null], { __proto__: null, a: 1 },
  { toString: 1, constructor: { prototype: {} } },
]; // prettier-ignore

export function hostileValue(random: Random): unknown {
  return random.pick(hostile);
}

/** A value that the schema allows, preferring what exists in the system. */
export function validValue(schema: Schema, name: string, world: World): unknown {
  const { random } = world;
  if (schema.$ref !== undefined) {
    return validValue(world.resolve(schema.$ref), name, world);
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) {
    return validValue(random.pick(choices), name, world);
  }
  if (schema.const !== undefined) {
    return schema.const;
  }
  if (schema.enum) {
    return random.pick(schema.enum);
  }
  const known = world.known.get(name);
  if (known && known.length > 0 && random.chance(0.85)) {
    return random.pick(known);
  }
  const type = Array.isArray(schema.type) ? random.pick(schema.type) : schema.type;
  switch (type) {
    case 'integer':
      return clamp(random.chance(0.9) ? random.below(50) + 1 : random.below(2 ** 31), schema);
    case 'number':
      return clamp(random.chance(0.5) ? random.below(900_000) : random.below(90_000_000) / 100, schema);
    case 'boolean':
      return random.chance(0.5);
    case 'null':
      return null;
    case 'array': {
      const length = Math.max(schema.minItems ?? 0, random.below(4));
      return Array.from({ length }, () => validValue(schema.items ?? {}, singular(name), world));
    }
    case 'object':
      return validObject(schema, world);
    default:
      return validText(schema, random);
  }
}

function validObject(schema: Schema, world: World): Record<string, unknown> {
  const required = new Set(schema.required);
  return Object.fromEntries(
    Object.entries(schema.properties ?? {})
      .filter(([name]) => required.has(name) || world.random.chance(0.6))
      .map(([name, property]) => [name, validValue(property, name, world)]),
  );
}

function validText(schema: Schema, random: Random): string {
  if (schema.format === 'date') {
    return new Date(Date.UTC(2024 + random.below(3), random.below(12), 1 + random.below(28))).toISOString().slice(0, 10);
  }
  if (schema.format === 'date-time') {
    return new Date(Date.UTC(2024 + random.below(3), random.below(12), 1 + random.below(28))).toISOString();
  }
  const text = random.pick(['alpha', 'שרתים למעבדה', 'Ωmega', 'a b  c', '100%', "O'Neil", '🚚', 'x']) + random.below(1000);
  const padded = text.padEnd(schema.minLength ?? 0, '.');
  return schema.maxLength === undefined ? padded : [...padded].slice(0, schema.maxLength).join('');
}

function clamp(value: number, { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY }: Schema): number {
  return Math.min(Math.max(value, minimum), maximum);
}

function singular(name: string): string {
  return name.replace(/ids$/, 'id').replace(/s$/, '');
}

/** A valid value in which one place, somewhere, is replaced by something hostile or removed. */
export function brokenValue(value: unknown, random: Random): unknown {
  if (Array.isArray(value) && value.length > 0 && random.chance(0.8)) {
    const at = random.below(value.length);
    return value.map((item, index) => (index === at ? brokenValue(item, random) : item));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && random.chance(0.9)) {
    const entries = Object.entries(value);
    if (entries.length > 0) {
      const at = random.below(entries.length);
      return Object.fromEntries(
        entries.flatMap(([name, member], index) =>
          index !== at ? [[name, member]] : random.chance(0.2) ? [] : [[name, brokenValue(member, random)]],
        ),
      );
    }
  }
  return hostileValue(random);
}
