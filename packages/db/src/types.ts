import pg from 'pg';
import type { RawValue } from './row-bytes.ts';

const { DATE, INT8, NUMERIC } = pg.types.builtins;
const AS_TEXT: ReadonlySet<number> = new Set([DATE, INT8, NUMERIC]);
/** date[], bigint[], numeric[]: read as text[] is. */
const AS_TEXTS: ReadonlySet<number> = new Set([1182, 1016, 1231]);
const TEXT_ARRAY = 1009;

/** The type of `textout(…)`, finished text that nobody looks into. */
const CSTRING: ReadonlySet<number> = new Set([2275]);

type Parser = (value: string) => unknown;

const parserOf: (oid: number, format?: 'text' | 'binary') => Parser = pg.types.getTypeParser;

/**
 * How values arrive: dates, 64-bit integers and exact numbers as the text that the database sends (a JavaScript number
 * would round them, a JavaScript Date would move a calendar day by the zone), a cstring as its bytes, everything else as
 * pg does it.
 */
export const plainTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => {
    if (CSTRING.has(oid)) return asBytes;
    if (AS_TEXT.has(oid)) return asText;
    const parse = parserOf(AS_TEXTS.has(oid) ? TEXT_ARRAY : oid, format);
    return (value: RawValue) => parse(asText(value));
  },
};

function asText(value: RawValue): string {
  return typeof value === 'string' ? value : value.toString();
}

function asBytes(value: RawValue): Buffer {
  return typeof value === 'string' ? Buffer.from(value) : value;
}
