import { SEGMENT_BYTES } from './lsn.ts';

/**
 * Finds the last complete record of a stretch of the log (access/xlogrecord.h and xlog_internal.h of PostgreSQL 18). A restore
 * to "the latest" names this record as its target, so that the server itself proves that it came that far.
 */

const PAGE_BYTES = 8192;
/** On the first page of a segment, and on the others. */
const [LONG_HEADER, SHORT_HEADER] = [40, 24];
const RECORD_HEADER = 24;
const CRC_OFFSET = 20;
const ALIGNMENT = 8;
/** The magics of PostgreSQL 15 to 18; they change with the format of the log, whose pages and heads of records are the same. */
const PAGE_MAGICS: ReadonlySet<number> = new Set([0xd110, 0xd113, 0xd116, 0xd118]);
/** Flags of a page: it begins within a record; the record before was given up in a crash. */
const [CONTINUED, GIVEN_UP] = [1, 8];

export interface LastRecord {
  /** Where it begins: what `recovery_target_lsn` names. */
  readonly start: bigint;
  readonly end: bigint;
}

/** Of the server that wrote the segment; undefined when this is no segment of a PostgreSQL that we know. */
export function systemIdOf(segment: Buffer): string | undefined {
  if (segment.length < LONG_HEADER || !PAGE_MAGICS.has(segment.readUInt16LE(0))) return undefined;
  return segment.readBigUInt64LE(24).toString();
}

export interface Walk {
  /** Undefined when no record is complete. */
  readonly last: LastRecord | undefined;
  /** Where bytes are not what the server wrote; undefined when the log simply ends. */
  readonly damagedAt: bigint | undefined;
}

/** Looks through segments that follow each other, of which the first begins at `start`. The last one may end anywhere. */
export function walk(segments: readonly Buffer[], start: bigint): Walk {
  const log = new Log(segments, start);
  let position = log.firstRecord();
  let last: LastRecord | undefined;
  if (position === undefined) return { last, damagedAt: log.end > start ? start : undefined };
  for (;;) {
    const length = log.lengthAt(position);
    if (length === undefined) return { last, damagedAt: undefined };
    if (length === 0) {
      // Nothing more in this segment: the server went on with the next one (pg_switch_wal).
      const next = (position / SEGMENT_BYTES + 1n) * SEGMENT_BYTES;
      if (!log.isZeroUntil(position, next)) return { last, damagedAt: position };
      if (next >= log.end) return { last, damagedAt: undefined };
      position = log.afterHeader(next);
      continue;
    }
    const record = length < RECORD_HEADER ? 'damaged' : log.read(position, length);
    if (record === 'incomplete') return { last, damagedAt: undefined };
    if (record === 'damaged') return { last, damagedAt: position };
    if ('givenUpAt' in record) {
      position = log.afterHeader(record.givenUpAt);
      continue;
    }
    if (!isIntact(record.bytes)) return { last, damagedAt: position };
    last = { start: position, end: record.end };
    position = log.aligned(record.end);
  }
}

class Log {
  readonly end: bigint;
  readonly #segments: readonly Buffer[];
  readonly #start: bigint;

  constructor(segments: readonly Buffer[], start: bigint) {
    this.#segments = segments;
    this.#start = start;
    const last = segments.at(-1)?.length ?? 0;
    this.end = start + BigInt(Math.max(segments.length - 1, 0)) * SEGMENT_BYTES + BigInt(last);
  }

  /** After what is left of a record that began before. */
  firstRecord(): bigint | undefined {
    let position = this.#start;
    for (;;) {
      const page = this.#bytes(position, LONG_HEADER);
      if (!page || !PAGE_MAGICS.has(page.readUInt16LE(0))) return undefined;
      const header = headerAt(position);
      const remaining = (page.readUInt16LE(2) & CONTINUED) === 0 ? 0 : page.readUInt32LE(16);
      const room = PAGE_BYTES - header;
      if (remaining < room) return this.aligned(position + BigInt(header + remaining));
      position += BigInt(PAGE_BYTES);
    }
  }

  /** The first place from here on where a record may begin. */
  aligned(position: bigint): bigint {
    const up = ((position + BigInt(ALIGNMENT - 1)) / BigInt(ALIGNMENT)) * BigInt(ALIGNMENT);
    return up % BigInt(PAGE_BYTES) === 0n ? this.afterHeader(up) : up;
  }

  afterHeader(page: bigint): bigint {
    return page + BigInt(headerAt(page));
  }

  /** Undefined behind the end. */
  lengthAt(position: bigint): number | undefined {
    return this.#bytes(position, 4)?.readUInt32LE(0);
  }

  /** The bytes of a record, without the headers of the pages between them. */
  read(
    from: bigint,
    length: number,
  ):
    | { readonly bytes: Buffer; readonly end: bigint }
    | { readonly givenUpAt: bigint }
    | 'incomplete'
    | 'damaged' {
    const parts: Buffer[] = [];
    let [position, missing] = [from, length];
    while (missing > 0) {
      const inPage = Number(position % BigInt(PAGE_BYTES));
      if (inPage === 0) {
        const header = this.#bytes(position, SHORT_HEADER);
        // Behind the end of what was written there may be nothing but zeros.
        if (!header || header.every((byte) => byte === 0)) return 'incomplete';
        if (!PAGE_MAGICS.has(header.readUInt16LE(0)) || header.readBigUInt64LE(8) !== position)
          return 'damaged';
        const flags = header.readUInt16LE(2);
        if (flags & GIVEN_UP) return { givenUpAt: position };
        if (!(flags & CONTINUED) || header.readUInt32LE(16) !== missing) return 'damaged';
        position = this.afterHeader(position);
        continue;
      }
      const part = this.#bytes(position, Math.min(missing, PAGE_BYTES - inPage));
      if (!part) return 'incomplete';
      parts.push(part);
      position += BigInt(part.length);
      missing -= part.length;
    }
    return { bytes: Buffer.concat(parts), end: position };
  }

  isZeroUntil(from: bigint, until: bigint): boolean {
    for (let position = from; position < until && position < this.end; ) {
      const page = (position / BigInt(PAGE_BYTES) + 1n) * BigInt(PAGE_BYTES);
      const stop = page < this.end ? page : this.end;
      const bytes = this.#bytes(position, Number(stop - position));
      const skip = position % BigInt(PAGE_BYTES) === 0n ? headerAt(position) : 0;
      if (!bytes || bytes.subarray(skip).some((byte) => byte !== 0)) return false;
      position = stop;
    }
    return true;
  }

  /** Within one page. */
  #bytes(position: bigint, size: number): Buffer | undefined {
    const offset = position - this.#start;
    const segment = this.#segments[Number(offset / SEGMENT_BYTES)];
    const at = Number(offset % SEGMENT_BYTES);
    return segment && at + size <= segment.length ? segment.subarray(at, at + size) : undefined;
  }
}

function headerAt(page: bigint): number {
  return page % SEGMENT_BYTES === 0n ? LONG_HEADER : SHORT_HEADER;
}

/** The checksum covers the data of the record, then its header up to the checksum. */
function isIntact(record: Buffer): boolean {
  const crc = crc32c(record.subarray(0, CRC_OFFSET), crc32c(record.subarray(RECORD_HEADER), 0xffff_ffff));
  return (crc ^ 0xffff_ffff) >>> 0 === record.readUInt32LE(CRC_OFFSET);
}

/** Castagnoli's polynomial, reflected. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f6_3b78 : value >>> 1;
  return value >>> 0;
});

/** Exported for tests, which build records. */
export function crc32c(bytes: Uint8Array, seed: number): number {
  let crc = seed;
  for (const byte of bytes) crc = ((crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0)) >>> 0;
  return crc;
}
