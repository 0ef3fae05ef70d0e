import { expect, test } from 'vitest';
import { parseExpiry } from './expiry.ts';

const now = new Date('2026-11-23T14:00:00Z');

test.each([
  ['12h', '2026-11-24T02:00:00.000Z'],
  ['90d', '2027-02-21T14:00:00.000Z'],
  ['2027-01-31', '2027-02-01T00:00:00.000Z'],
  ['2027-01-31T12:00Z', '2027-01-31T12:00:00.000Z'],
  ['2027-01-31T12:00:00+02:00', '2027-01-31T10:00:00.000Z'],
])('%s is %s', (text, instant) => {
  expect(parseExpiry(text, now)?.toISOString()).toBe(instant);
});

test.each(['', 'soon', '90', '2027-02-31', '2027-13-01', '2027-01-31T12:00:00', '1e3d'])(
  '%j is refused',
  (text) => {
    expect(parseExpiry(text, now)).toBeUndefined();
  },
);
