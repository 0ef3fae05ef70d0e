import { describe, expect, test } from 'vitest';
import { parseLsn } from './lsn.ts';
import { crc32c, systemIdOf, walk } from './wal-records.ts';

const PAGE = 8192;
const SEGMENT = 16 * 1024 * 1024;
const START = parseLsn('0/5000000');
const SYSTEM = 7578913712044019711n;
const [CONTINUED, INSTEAD_OF_CONTINUED] = [1, 8];

/** Writes a log as the server does: records of which each follows the last, over pages with headers. */
class Writer {
  readonly bytes: Buffer;
  position: number;

  constructor(segments = 1) {
    this.bytes = Buffer.alloc(segments * SEGMENT);
    this.position = this.page(0);
  }

  page(at: number, { flags = 0, remaining = 0 } = {}): number {
    this.bytes.writeUInt16LE(0xd118, at);
    this.bytes.writeUInt16LE(flags, at + 2);
    this.bytes.writeBigUInt64LE(START + BigInt(at), at + 8);
    this.bytes.writeUInt32LE(remaining, at + 16);
    if (at % SEGMENT !== 0) return at + 24;
    this.bytes.writeBigUInt64LE(SYSTEM, at + 24);
    return at + 40;
  }

  /** Its begin. `cutAfter`: the server crashed when it had written so many pages of it. */
  record(size: number, { cutAfter = Number.POSITIVE_INFINITY } = {}): bigint {
    const record = Buffer.alloc(size, size % 251);
    record.writeUInt32LE(size, 0);
    const crc = crc32c(record.subarray(0, 20), crc32c(record.subarray(24), 0xffff_ffff)) ^ 0xffff_ffff;
    record.writeUInt32LE(crc >>> 0, 20);
    if (this.position % PAGE === 0) this.position = this.page(this.position);
    const begin = this.position;
    let pages = 0;
    for (let done = 0; done < size; ) {
      if (this.position % PAGE === 0) {
        if (pages === cutAfter) {
          this.position = this.page(this.position, { flags: INSTEAD_OF_CONTINUED });
          return START + BigInt(begin);
        }
        this.position = this.page(this.position, { flags: CONTINUED, remaining: size - done });
      }
      const part = record.subarray(done, done + PAGE - (this.position % PAGE));
      part.copy(this.bytes, this.position);
      this.position += part.length;
      done += part.length;
      pages += 1;
    }
    this.position = Math.ceil(this.position / 8) * 8;
    return START + BigInt(begin);
  }

  /** As pg_switch_wal does. */
  nextSegment(): void {
    this.position = this.page(Math.ceil(this.position / SEGMENT) * SEGMENT);
  }

  segments(size = this.bytes.length): Buffer[] {
    const parts: Buffer[] = [];
    for (let at = 0; at < size; at += SEGMENT)
      parts.push(this.bytes.subarray(at, Math.min(at + SEGMENT, size)));
    return parts;
  }
}

describe('the last record of a log', () => {
  test('is unknown where there is none', () => {
    expect(walk([], START).last).toBeUndefined();
    expect(walk([Buffer.alloc(0)], START).last).toBeUndefined();
    expect(walk([Buffer.alloc(SEGMENT)], START).last).toBeUndefined();
    expect(walk([Buffer.from('not a log'.repeat(1000))], START).last).toBeUndefined();
    expect(walk(new Writer().segments(), START).last).toBeUndefined();
  });

  test('is found in the middle of a page, at the border of one, and over several', () => {
    for (const size of [24, 8000, PAGE - 40 - 104, PAGE - 40 - 103, 40_000]) {
      const log = new Writer();
      log.record(100);
      const begin = log.record(size);
      expect(walk(log.segments(), START).last?.start).toBe(begin);
    }
  });

  test('is the one before, when the log ends within a record or a byte of it is another', () => {
    const log = new Writer();
    const before = log.record(20_000);
    const begin = log.record(30_000);
    const end = log.position;
    expect(walk(log.segments(end), START).last?.start).toBe(begin);
    for (const size of [end - 8, end - 20_000, Number(begin - START) + 3]) {
      expect(walk(log.segments(size), START).last?.start).toBe(before);
    }
    log.bytes.writeUInt8(log.bytes.readUInt8(end - 100) ^ 1, end - 100);
    expect(walk(log.segments(), START).last?.start).toBe(before);
  });

  test('may be behind the end of a segment, also of one that was ended early', () => {
    const log = new Writer(2);
    for (let at = 0; at < SEGMENT - 100_000; at = log.position) log.record(90_000);
    const over = log.record(200_000);
    expect(walk(log.segments(), START).last?.start).toBe(over);

    const early = new Writer(2);
    early.record(100);
    early.nextSegment();
    const begin = early.record(100);
    expect(walk(early.segments(), START).last?.start).toBe(begin);
  });

  test('is behind a record that a crash cut: the server writes on after it', () => {
    for (const cutAfter of [1, 2]) {
      const log = new Writer();
      log.record(100);
      log.record(50_000, { cutAfter });
      const begin = log.record(100);
      expect(walk(log.segments(), START).last?.start).toBe(begin);
    }
  });

  test('is not one of an older log whose file was used again', () => {
    const log = new Writer();
    const begin = log.record(100);
    log.record(30_000);
    log.bytes.writeBigUInt64LE(START - BigInt(SEGMENT), PAGE + 8);
    expect(walk(log.segments(), START).last?.start).toBe(begin);
  });
});

test('a segment tells which cluster wrote it, unless it is no segment', () => {
  expect(systemIdOf(new Writer().segments()[0] ?? Buffer.alloc(0))).toBe(String(SYSTEM));
  expect(systemIdOf(Buffer.alloc(10))).toBeUndefined();
  expect(systemIdOf(Buffer.alloc(SEGMENT))).toBeUndefined();
});

test('the checksum is the one of the standard', () => {
  expect((crc32c(Buffer.from('123456789'), 0xffff_ffff) ^ 0xffff_ffff) >>> 0).toBe(0xe306_9283);
});
