import { expect, test } from 'vitest';
import { formatLsn, historyName, parseHistory, parseLsn, placeOf, segmentAt, startOfSegment } from './lsn.ts';

test.each([
  ['0/0', 0n],
  ['0/16B3748', 0x16b3748n],
  ['16/B374D848', 0x16_b374_d848n],
  ['FFFFFFFF/FFFFFFFF', 0xffff_ffff_ffff_ffffn],
])('a position is read and written: %s', (text, lsn) => {
  expect(parseLsn(text)).toBe(lsn);
  expect(formatLsn(lsn)).toBe(text);
});

test.each(['', '0', '0/', '/1', 'G/1', '0/123456789', "0/1'; drop"])('"%s" is no position', (text) => {
  expect(() => parseLsn(text)).toThrow('not a position');
});

test.each([
  [1, 0n, '000000010000000000000000'],
  [1, 0xffff_ffffn, '0000000100000000000000FF'],
  [1, 0x1_0000_0000n, '000000010000000100000000'],
  [0x1f, 0x16_b374_d848n, '0000001F00000016000000B3'],
])('segments go on over 4 GB: timeline %i', (timeline, lsn, name) => {
  expect(segmentAt(timeline, lsn)).toBe(name);
  expect(placeOf(name)).toEqual({ timeline, start: startOfSegment(lsn) });
});

test.each(['00000001000000000000000', '000000010000000000000100', '00000002.history', 'abc'])(
  '%s is no segment',
  (name) => {
    expect(placeOf(name)).toBeUndefined();
  },
);

test('a history tells which timeline was left where', () => {
  const text = "1\t0/A000198\tno recovery target specified\n\n2\t1/4000000\tat restore point 'x'\n";
  expect(parseHistory(text)).toEqual([
    { timeline: 1, until: 0xa000198n },
    { timeline: 2, until: 0x1_0400_0000n },
  ]);
  expect(historyName(31)).toBe('0000001F.history');
});
