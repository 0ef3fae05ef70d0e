import { describe, expect, test } from 'vitest';
import { readEnvironment } from './read.ts';
import { environmentText } from './testing/environment.ts';

function wrong(parts: Readonly<Record<string, unknown>>): string[] {
  return readEnvironment(environmentText(parts)).problems.map(({ path, problem }) => `${path} ${problem}`);
}

const host = (name: string, roles?: readonly string[]) => ({
  name,
  docker: `ssh://ops@${name}`,
  ...(roles && { roles }),
});

describe('hosts', () => {
  const keeper = host('keeper', ['gateway', 'database', 'storage']);

  test('have names of their own', () => {
    expect(wrong({ hosts: [host('a'), host('a', ['app'])], storage: { kind: 'bundled-s3' } })).toEqual([
      'hosts.1.name is "a" a second time',
    ]);
  });

  test('of several, one each has what keeps something', () => {
    expect(wrong({ hosts: [host('a'), host('b')], storage: { kind: 'bundled-s3' } })).toEqual([
      'hosts have the role gateway on a, b',
      'hosts have the role database on a, b',
      'hosts have the role storage on a, b',
    ]);
    expect(wrong({ hosts: [keeper, host('b', ['app'])], storage: { kind: 'bundled-s3' } })).toEqual([]);
    expect(wrong({ hosts: [keeper] })).toEqual(['hosts have no host with the role app']);
  });

  test('need no database when it is elsewhere', () => {
    const hosts = [host('a', ['app', 'gateway'])];
    expect(wrong({ hosts })).toEqual(['hosts have no host with the role database']);
    expect(wrong({ hosts, database: { kind: 'external' } })).toEqual([]);
  });

  test('share files only through S3', () => {
    const hosts = [keeper, host('b', ['app']), host('c', ['app'])];
    expect(wrong({ hosts })).toEqual([
      'storage.kind is local, but the application runs on b, c: each would have files of its own',
    ]);
    expect(wrong({ hosts, storage: { kind: 'external-s3', bucket: 'files' } })).toEqual([]);
  });
});

describe('numbers', () => {
  test('http and https are published on two ports', () => {
    expect(wrong({ gateway: { http: 443 } })).toEqual(['gateway.https is 443, like gateway.http']);
  });

  test('a canary grows at each step', () => {
    const steps = [
      { percent: 50, hold: '1m' },
      { percent: 10, hold: '1m' },
    ];
    expect(wrong({ strategy: { canary: { steps } } })).toEqual([
      'strategy.canary.steps.1.percent is 10, after 50',
    ]);
  });

  test('what is reserved is within the limit', () => {
    expect(
      wrong({ resources: { api: { limits: { memory: '1G' }, reservations: { memory: '1025M' } } } }),
    ).toEqual(['resources.api.reservations.memory is 1025M, above the limit, which is 1G']);
    expect(
      wrong({ resources: { api: { limits: { memory: '1G' }, reservations: { memory: '1024M' } } } }),
    ).toEqual([]);
  });

  test('two colours together find room in the database, or a pooler makes it', () => {
    expect(wrong({ replicas: { api: 8 } })).toEqual([]);
    expect(wrong({ replicas: { api: 9 } })).toEqual([
      'replicas.api needs 180 connections to the database during a deployment (two colours of 9, 10 each)',
    ]);
    expect(wrong({ replicas: { api: 9 }, database: { kind: 'bundled', pooler: true } })).toEqual([]);
    expect(wrong({ replicas: { api: 9 }, settings: { CALCULAUD_POOL_SIZE: 5 } })).toEqual([]);
  });
});

describe('kinds', () => {
  test('production has a fixed image and a real domain', () => {
    expect(wrong({ kind: 'production', image: 'calculaud:latest', domain: 'localhost' })).toEqual([
      'domain is localhost, which only this machine reaches',
      'image is calculaud:latest, which means something else every day',
    ]);
  });

  test('sources are for development, on one host', () => {
    expect(wrong({ sources: '/src' })).toEqual([
      'sources would run a checkout in place of the image in an environment of kind staging',
    ]);
    expect(wrong({ kind: 'development', sources: '/src' })).toEqual([]);
  });
});

describe('settings', () => {
  test('are those of the application, with its own rules', () => {
    const settings = { CALCULAUD_TIMEZON: 'UTC', CALCULAUD_AUTO_FLAG_DAYS: 0, AUTH_ISSUER: 'x' };
    expect(wrong({ settings })).toEqual([
      'settings.CALCULAUD_TIMEZON is no setting of this version',
      'settings.AUTH_JWKS_URL is missing, but AUTH_ISSUER is given',
      'settings.CALCULAUD_AUTO_FLAG_DAYS cannot be "0"',
    ]);
  });

  test('hold no secret and nothing that the stack decides', () => {
    expect(wrong({ settings: { DATABASE_URL: 'postgresql://x', PORT: 1, LOG_LEVEL: 'info' } })).toEqual([
      'settings.DATABASE_URL is a secret, and everybody may read this file',
      'settings.PORT is decided by the stack',
      'settings.LOG_LEVEL is decided by log_level',
    ]);
  });

  test('never let everybody in', () => {
    expect(wrong({ kind: 'development', settings: { BYPASS_AUTH: true } })).toEqual([
      expect.stringMatching(/^settings\.BYPASS_AUTH would let everybody/),
    ]);
  });
});
