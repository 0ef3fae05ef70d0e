import { describe, expect, test } from 'vitest';
import {
  formatLsn,
  historyName,
  parseHistory,
  parseLsn,
  placeOf,
  SEGMENT_BYTES,
  segmentAt,
  startOfSegment,
} from './lsn.ts';

describe('positions', () => {
  test.each([
    ['0/0', 0n],
    ['0/FFFFFFFF', 0xffff_ffffn],
    ['1/0', 0x1_0000_0000n],
    ['16/B374D848', 0x16_b374_d848n],
    ['FFFFFFFF/FFFFFFFF', 0xffff_ffff_ffff_ffffn],
  ])('%s is a number, and the number is written so again', (text, number) => {
    expect(parseLsn(text)).toBe(number);
    expect(formatLsn(number)).toBe(text);
  });

  test('small letters are understood', () => expect(parseLsn('a/b')).toBe(0xa_0000_000bn));

  test.each(['', '0', '0/', '/0', '0/123456789', '0/G', '0/0 ', '-1/0', '0/0/0'])(
    '"%s" is refused',
    (text) => {
      expect(() => parseLsn(text)).toThrow(/not a position/);
    },
  );
});

describe('segments', () => {
  test.each([
    [1, '0/0', '000000010000000000000000'],
    [1, '0/FFFFFF', '000000010000000000000000'],
    [1, '0/1000000', '000000010000000000000001'],
    [1, '0/FFFFFFFF', '0000000100000000000000FF'],
    [1, '1/0', '000000010000000100000000'],
    [26, 'A/FF000000', '0000001A0000000A000000FF'],
    [0xffff_ffff, 'FFFFFFFF/FFFFFFFF', 'FFFFFFFFFFFFFFFF000000FF'],
  ])('timeline %i holds %s in %s', (timeline, lsn, segment) => {
    expect(segmentAt(timeline, parseLsn(lsn))).toBe(segment);
    expect(placeOf(segment)).toEqual({ timeline, start: startOfSegment(parseLsn(lsn)) });
  });

  test('follow each other over the border of 4 GB', () => {
    const last = placeOf('0000000100000000000000FF');
    expect(last && segmentAt(1, last.start + SEGMENT_BYTES)).toBe('000000010000000100000000');
  });

  test.each([
    '',
    '00000001000000000000000',
    '000000010000000000000001.partial',
    '00000001000000000000000g',
    '000000010000000000000100',
    '00000002.history',
    '00000001000000000000000a',
  ])('"%s" is no name of one', (name) => expect(placeOf(name)).toBeUndefined());
});

describe('histories of timelines', () => {
  test('tell in which order timelines were left, and where', () => {
    const text =
      '1\t0/3000148\tno recovery target specified\n\n# by hand\n2\t1/A0\tbefore 2026-12-01 09:00:00+00\n';
    expect(parseHistory(text)).toEqual([
      { timeline: 1, until: 0x300_0148n },
      { timeline: 2, until: 0x1_0000_00a0n },
    ]);
  });

  test('may be empty', () => expect(parseHistory('')).toEqual([]));

  test('have names in hexadecimal', () => expect(historyName(26)).toBe('0000001A.history'));
});
