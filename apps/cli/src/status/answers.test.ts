import { expect, test } from 'vitest';
import { healthIn, parseDisks, parseReadiness } from './answers.ts';

const answer = (status: string, body: string): string =>
  `HTTP/1.1 ${status}\r\ncontent-type: application/health+json\r\nConnection: close\r\n\r\n${body}`;
const check = { status: 'pass', observedValue: 3, observedUnit: 'ms', time: '2026-11-23T17:36:24.425Z' };

test('an instance that is ready says which build it is', () => {
  const body = {
    status: 'pass',
    draining: false,
    checks: { 'postgresql:responseTime': [check] },
    version: '1.4.0',
    commit: 'abc',
  };
  expect(parseReadiness(answer('200 OK', JSON.stringify(body)))).toEqual({
    ready: true,
    draining: false,
    version: '1.4.0',
    commit: 'abc',
    checks: [{ check: 'postgresql:responseTime', status: 'pass', ms: 3, output: null }],
  });
});

test('one that is not says why', () => {
  const failed = { ...check, status: 'fail', output: 'no answer within 1000 ms' };
  const body = { status: 'fail', draining: true, checks: { 'schema:version': [failed] }, version: '1.4.0' };
  expect(parseReadiness(answer('503 Service Unavailable', JSON.stringify(body)))).toMatchObject({
    ready: false,
    draining: true,
    commit: null,
    checks: [{ check: 'schema:version', status: 'fail', output: 'no answer within 1000 ms' }],
  });
});

test.each(['', 'bash: connect: Connection refused', answer('200 OK', '<html>'), answer('200 OK', '{}')])(
  '%j is no answer of ours',
  (text) => {
    expect(parseReadiness(text)).toBeUndefined();
  },
);

test('two folders on one disk are one disk, two disks are two', () => {
  const text = `Filesystem     1024-blocks     Used Available Capacity Mounted on
overlay          264212084 22647484  72853780      24% /
/dev/vda         264212084 22647644  72853620      24% /var/lib/postgresql
/dev/vdb          10000000  1000000   9000000      10% /data
`;
  expect(parseDisks(text, ['containers', 'database', 'files'])).toEqual([
    { holds: ['containers', 'database'], free_bytes: 72_853_780 * 1024, size_bytes: 264_212_084 * 1024 },
    { holds: ['files'], free_bytes: 9_000_000 * 1024, size_bytes: 10_000_000 * 1024 },
  ]);
});

test.each([
  ['Up 2 minutes (healthy)', 'healthy'],
  ['Up 2 minutes (unhealthy)', 'unhealthy'],
  ['Up 2 seconds (health: starting)', 'starting'],
  ['Up 3 hours', 'none'],
])('%s is %s', (status, health) => {
  expect(healthIn(status)).toBe(health);
});
