import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type Fault,
  type IdentityProvider,
  startIdentityProvider,
} from '@calculaud/testing/identity-provider';
import { selfSignedCertificate } from '@calculaud/testing/self-signed';
import { type KeyTiming, keyTiming } from './signing-keys.ts';
import { admin, eager, type SignInApp, signInApp } from './testing/app.ts';

const open: { close(): Promise<void> }[] = [];
let provider: IdentityProvider;

beforeAll(async () => {
  provider = await startIdentityProvider();
  open.push(provider);
});

afterEach(() => {
  provider.faults.keys = undefined;
});

afterAll(async () => {
  for (const each of open.toReversed()) await each.close();
});

async function start(timing: KeyTiming, environment: Record<string, string> = {}): Promise<SignInApp> {
  const app = await signInApp(provider, timing, environment);
  open.push(app);
  return app;
}

describe('the keys of the provider', () => {
  test('are asked for once, however many requests wait for them', async () => {
    const app = await start(keyTiming);
    const before = provider.asked.keys;
    const tokens = await Promise.all(
      Array.from({ length: 20 }, () => provider.sign({ ...admin, jti: randomUUID() })),
    );
    const answers = await Promise.all(tokens.map((token) => app.read(token)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(provider.asked.keys - before).toBe(1);
  });

  test('are asked for again when a token names a new one, and those that have gone no longer count', async () => {
    const app = await start(eager);
    const old = await provider.sign({ ...admin, jti: 'old' });
    expect((await app.read(await provider.sign({ ...admin, jti: 'before' }))).status).toBe(200);
    provider.rotateKeys();
    expect((await app.read(await provider.sign({ ...admin, jti: 'new' }))).status).toBe(200);
    expect((await app.read(old)).status).toBe(401);
  });

  test('are not asked for again by a flood of tokens with invented ones', async () => {
    const app = await start(keyTiming);
    await app.read(await provider.sign(admin));
    const before = provider.asked.keys;
    for (const kid of ['a', 'b', 'c', 'd']) {
      expect((await app.read(await provider.sign(admin, { header: { kid } }))).status).toBe(401);
    }
    expect(provider.asked.keys).toBe(before);
  });

  const faults: readonly Fault[] = [
    'breaks-connection',
    'never-answers',
    'status-500',
    'not-json',
    'wrong-types',
    'redirect',
    'endless',
  ];
  test.each(faults)('that cannot be had (%s) are an outage and no wrong token', async (fault) => {
    const app = await start({ ...eager, timeoutMs: 300, maxAgeMs: 0 });
    const token = await provider.sign(admin);
    provider.faults.keys = fault;
    const answer = await app.read(token);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.headers['www-authenticate']).toBeUndefined();
    expect(answer.text).not.toContain(provider.keysUrl);
    provider.faults.keys = undefined;
    expect((await app.read(token)).status).toBe(200);
  });

  test('go on being used while the provider is out, and an unknown one is then no wrong token', async () => {
    const app = await start({ ...eager, refreshMs: 0 });
    await app.read(await provider.sign({ ...admin, jti: '1' }));
    provider.faults.keys = 'status-500';
    expect((await app.read(await provider.sign({ ...admin, jti: '2' }))).status).toBe(200);
    expect((await app.read(await provider.sign(admin, { header: { kid: 'unknown' } }))).status).toBe(503);
  });

  test('are not asked for again so soon after a failure', async () => {
    const app = await start(keyTiming);
    const token = await provider.sign(admin);
    provider.faults.keys = 'status-500';
    const before = provider.asked.keys;
    for (let count = 0; count < 5; count += 1) {
      const answer = await app.read(token);
      expect(answer.status).toBe(503);
      expect(answer.headers['retry-after']).toBe('5');
    }
    expect(provider.asked.keys - before).toBe(1);
  });

  test('are not taken from a server whose certificate nobody vouches for', async () => {
    const untrusted = await startIdentityProvider({ tls: selfSignedCertificate() });
    open.push(untrusted);
    const app = await start(eager, { AUTH_JWKS_URL: untrusted.keysUrl, AUTH_ISSUER: untrusted.issuer });
    expect((await app.read(await untrusted.sign(admin))).status).toBe(503);
    expect(untrusted.asked.keys).toBe(0);
    expect(app.log.join('')).toContain('self-signed certificate');
  });
});
