import { z } from 'zod';
import { environmentSchema } from './schema.ts';

/** The part of JSON Schema that tells which keys a place has. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  /** The only value that this alternative allows. */
  readonly const?: unknown;
}

/** Parsed rather than cast: what zod writes is only loosely typed. */
const shape: z.ZodType<Shape> = z.lazy(() =>
  z.object({
    properties: z.record(z.string(), shape).exactOptional(),
    items: shape.exactOptional(),
    anyOf: z.array(shape).exactOptional(),
    oneOf: z.array(shape).exactOptional(),
    const: z.unknown().exactOptional(),
  }),
);

const root = shape.parse(z.toJSONSchema(environmentSchema, { io: 'input', unrepresentable: 'any' }));

/** The keys that may stand at a place of the file; of alternatives, those of all. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  return [...new Set(placesAt(path).flatMap(({ properties }) => Object.keys(properties ?? {})))];
}

/** The words that tell alternatives apart, where there are some. */
export function wordsAt(path: readonly PropertyKey[]): readonly string[] {
  return placesAt(path).flatMap((place) => ('const' in place ? [String(place.const)] : []));
}

function placesAt(path: readonly PropertyKey[]): readonly Shape[] {
  let places = alternatives(root);
  for (const step of path) {
    places = places.flatMap(({ properties, items }) => {
      const next = typeof step === 'number' ? items : properties?.[String(step)];
      return next ? alternatives(next) : [];
    });
  }
  return places;
}

function alternatives(place: Shape): readonly Shape[] {
  const others = [...(place.anyOf ?? []), ...(place.oneOf ?? [])];
  return others.length === 0 ? [place] : others.flatMap(alternatives);
}
