import { z } from 'zod';
import { environmentSchema } from './schema.ts';

/** The part of JSON Schema that tells which keys a place has. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
}

/** Parsed rather than cast: what zod writes is only loosely typed. */
const shape: z.ZodType<Shape> = z.lazy(() =>
  z.object({
    properties: z.record(z.string(), shape).exactOptional(),
    items: shape.exactOptional(),
    anyOf: z.array(shape).exactOptional(),
    oneOf: z.array(shape).exactOptional(),
  }),
);

const root = shape.parse(z.toJSONSchema(environmentSchema, { io: 'input', unrepresentable: 'any' }));

/** The keys that may stand at a place of the file; of alternatives, those of all. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  let places = alternatives(root);
  for (const step of path) {
    places = places.flatMap(({ properties, items }) => {
      const next = typeof step === 'number' ? items : properties?.[String(step)];
      return next ? alternatives(next) : [];
    });
  }
  return [...new Set(places.flatMap(({ properties }) => Object.keys(properties ?? {})))];
}

function alternatives(place: Shape): readonly Shape[] {
  const others = [...(place.anyOf ?? []), ...(place.oneOf ?? [])];
  return others.length === 0 ? [place] : others.flatMap(alternatives);
}
