import pg from 'pg';

const { DATE, INT8, NUMERIC } = pg.types.builtins;
const AS_TEXT: ReadonlySet<number> = new Set([DATE, INT8, NUMERIC]);
/** date[], bigint[], numeric[]: read as text[] is. */
const AS_TEXTS: ReadonlySet<number> = new Set([1182, 1016, 1231]);
const TEXT_ARRAY = 1009;

const parserOf: (oid: number, format?: 'text' | 'binary') => unknown = pg.types.getTypeParser;

/**
 * How values arrive: dates, 64-bit integers and exact numbers as the text that the database sends (a JavaScript number
 * would round them, a JavaScript Date would move a calendar day by the zone), everything else as pg does it.
 */
export const plainTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => {
    if (AS_TEXT.has(oid)) return asText;
    return parserOf(AS_TEXTS.has(oid) ? TEXT_ARRAY : oid, format);
  },
};

function asText(value: string): string {
  return value;
}
