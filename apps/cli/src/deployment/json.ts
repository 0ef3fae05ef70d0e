import { createHash } from 'node:crypto';
import { z } from 'zod';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export const jsonSchema: z.ZodType<Json> = z.json();

/** The same text for the same content, whatever the order its keys were written in. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}

export function hashOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

/** The content, or as much of its text as may be kept. */
export function shortened(content: Json, characters: number): Json {
  const text = JSON.stringify(content);
  return text.length <= characters ? content : `${text.slice(0, characters)} …`;
}
