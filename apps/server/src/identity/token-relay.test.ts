import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { requestToken } from '@calculaud/contract/identity';
import {
  type Fault,
  type IdentityProvider,
  startIdentityProvider,
} from '@calculaud/testing/identity-provider';
import { selfSignedCertificate } from '@calculaud/testing/self-signed';
import { type TestApp, type TestResponse, testApp } from '../testing/app.ts';
import { Problem } from '../platform/problem.ts';
import { bearer, eager, type SignInApp, signInApp } from './testing/app.ts';
import { relayToken } from './token-relay.ts';

let provider: IdentityProvider;
let system: SignInApp;

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  provider = await startIdentityProvider();
  system = await signInApp(provider, eager);
});

afterAll(async () => {
  vi.useRealTimers();
  await system.close();
  await provider.close();
});

// Every test has a minute of its own, as the limit of requests counts.
beforeEach(() => {
  vi.advanceTimersByTime(60_000);
  provider.asked.token.length = 0;
});
afterEach(() => {
  provider.faults.token = undefined;
});

type Form = Readonly<Record<string, string>> | string;

const form = { 'content-type': 'application/x-www-form-urlencoded' };

function ask(fields: Form, app: TestApp = system): Promise<TestResponse> {
  return app.post('/auth/token', new URLSearchParams(fields).toString(), { role: null, headers: form });
}

const refresh = { grant_type: 'refresh_token', client_id: 'web', refresh_token: 'r-secret' };

describe('tokens', () => {
  test('are given for a code and its verifier, work at once, and are renewed by the refresh token', async () => {
    const verifier = 'v'.repeat(43);
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const code = provider.code({ role: 'calUsers' }, { challenge });
    const answer = await ask({
      grant_type: 'authorization_code',
      client_id: 'web',
      code,
      code_verifier: verifier,
    });
    const first = answer.as(requestToken);
    expect(first).toMatchObject({ token_type: 'Bearer', expires_in: 300, scope: null, error: null });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect((await system.read(first.access_token ?? '')).status).toBe(200);

    const renewed = await ask({ ...refresh, refresh_token: first.refresh_token ?? '' });
    const { access_token: second } = renewed.as(requestToken);
    expect((await system.get('/purposes/', { role: null, headers: bearer(second ?? '') })).status).toBe(200);
  });

  test('are asked for with exactly what was sent: known fields, and others as they are', async () => {
    await ask(
      `grant_type=refresh_token&client_id=web&refresh_token=r&scope=&resource=a&resource=b&x_custom=%D7%90+%26`,
    );
    expect(provider.asked.token.map(String)).toEqual([
      'grant_type=refresh_token&client_id=web&refresh_token=r&resource=a&resource=b&x_custom=%D7%90+%26',
    ]);
  });

  test('keep members that nobody asked for; members that are missing are null', async () => {
    provider.answerOnce(200, { access_token: 'a', expires_in: '3600', not_before_policy: 0 });
    const answer = await ask(refresh);
    expect(answer.json()).toEqual({
      access_token: 'a',
      token_type: null,
      expires_in: 3600,
      refresh_token: null,
      id_token: null,
      scope: null,
      error: null,
      error_description: null,
      not_before_policy: 0,
    });
  });
});

describe('a request that is not one', () => {
  const code = { grant_type: 'authorization_code', client_id: 'web' };
  test.each([
    ['another grant', { ...code, grant_type: 'client_credentials' }, 'grant_type'],
    ['the password grant', { ...code, grant_type: 'password' }, 'grant_type'],
    ['no grant', { client_id: 'web' }, 'grant_type'],
    ['no client', { grant_type: 'refresh_token' }, 'client_id'],
    ['an empty client', { ...code, client_id: '' }, 'client_id'],
    ['a field twice', 'grant_type=refresh_token&client_id=web&code=a&code=b', 'code'],
    ['a field that is too long', { ...code, code: 'x'.repeat(16_385) }, 'code'],
    ['a foreign field that is too long', { ...code, other: 'x'.repeat(4097) }, 'other'],
    ['a foreign field with a very long name', { ...code, ['x'.repeat(101)]: '1' }, 'name of a field'],
    [
      'many foreign fields',
      { ...code, ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, ''])) },
      'Too many',
    ],
  ])('%s is refused and not passed on', async (_case, fields, named) => {
    const answer = await ask(fields);
    expect(answer.status).toBe(422);
    expect(answer.text).toContain(named);
    expect(provider.asked.token).toEqual([]);
  });

  test.each(['application/json', 'text/plain', 'multipart/form-data; boundary=x'])(
    '%s is no form',
    async (type) => {
      const options = { role: null, headers: { 'content-type': type } };
      const answer = await system.post('/auth/token', refresh, options);
      expect(answer.status).toBe(422);
      expect(answer.text).toContain('grant_type');
      expect(provider.asked.token).toEqual([]);
    },
  );
});

describe('the provider', () => {
  test.each([
    [400, { error: 'invalid_grant', error_description: 'The refresh token expired' }],
    [401, { error: 'invalid_client' }],
    [429, { error: 'slow_down', extra: [1] }],
  ])('that refuses with %i is heard', async (status, body) => {
    provider.answerOnce(status, body);
    const answer = await ask(refresh);
    expect(answer.status).toBe(status);
    expect(answer.json()).toEqual(body);
  });

  test('says for itself that a refresh token is not good any more', async () => {
    const answer = await ask(refresh);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ error: 'invalid_grant' });
  });

  const faults: readonly Fault[] = [
    'breaks-connection',
    'status-500',
    'not-json',
    'wrong-types',
    'redirect',
    'endless',
  ];
  test.each(faults)('that fails (%s) is an outage, told without internals', async (fault) => {
    provider.faults.token = fault;
    const answer = await ask(refresh);
    expect(answer.status).toBe(502);
    expect(answer.json()).toMatchObject({ code: 'identity_provider_failed' });
    expect(answer.text).not.toMatch(/127\.0\.0\.1|fetch|ECONN|socket|Unexpected/i);
    expect(provider.asked.token).toHaveLength(1);
  });

  test.each([
    [400, '<html>'],
    [400, [1]],
    [200, []],
    [200, null],
    [200, { expires_in: 'soon' }],
    [200, { access_token: { a: 1 } }],
    [302, {}],
  ])('that answers %i with %j is an outage', async (status, body) => {
    provider.answerOnce(status, body);
    expect((await ask(refresh)).status).toBe(502);
  });

  test('that takes too long is given up', async () => {
    provider.faults.token = 'never-answers';
    const { log } = system.app;
    const asking = relayToken(
      { grant_type: 'refresh_token', client_id: 'web' },
      { endpoint: provider.tokenUrl, timeoutMs: 200, log, signal: new AbortController().signal },
    );
    await expect(asking).rejects.toMatchObject({ status: 408 });
    await expect(asking).rejects.toBeInstanceOf(Problem);
  });

  test('whose certificate nobody vouches for gets no secret', async () => {
    const untrusted = await startIdentityProvider({ tls: selfSignedCertificate() });
    const app = await signInApp(untrusted, eager);
    try {
      expect((await ask(refresh, app)).status).toBe(502);
      expect(untrusted.asked.token).toEqual([]);
    } finally {
      await app.close();
      await untrusted.close();
    }
  });

  test('need not be there', async () => {
    const alone = await testApp();
    try {
      const answer = await ask(refresh, alone);
      expect(answer.status).toBe(404);
      expect(answer.json()).toMatchObject({ code: 'no_identity_provider' });
    } finally {
      await alone.close();
    }
  });
});

test('one address gets thirty requests a minute, and is told how long to wait', async () => {
  for (let count = 0; count < 30; count += 1) {
    expect((await ask(refresh)).status).toBe(400);
  }
  const refused = await ask(refresh);
  expect(refused.status).toBe(429);
  expect(refused.headers['retry-after']).toBe('2');
  expect(provider.asked.token).toHaveLength(30);
  vi.advanceTimersByTime(2_000);
  expect((await ask(refresh)).status).toBe(400);
});

test('nothing secret is ever logged, whatever happens', async () => {
  const code = provider.code({ role: 'calUsers', email: 'dana@example.org' });
  const secrets = [
    'c-secret',
    'p-secret',
    'r-secret',
    'v-secret',
    'x-secret',
    'b-secret',
    code,
    'dana@example.org',
  ];
  const fields = {
    ...refresh,
    client_secret: 'c-secret',
    password: 'p-secret',
    code_verifier: 'v-secret',
    assertion: 'x-secret',
  };
  const answer = await ask({ ...fields, grant_type: 'authorization_code', code });
  const { access_token, refresh_token, id_token } = answer.as(requestToken);
  for (const secret of [access_token, refresh_token, id_token]) secrets.push(secret ?? 'missing');
  await system.read(access_token ?? '');
  await system.read(`${access_token}x`);
  await system.read('b-secret');
  await system.get('/purposes/', { role: null, headers: { authorization: 'Basic b-secret' } });
  const faults: readonly Fault[] = ['breaks-connection', 'status-500', 'not-json', 'wrong-types', 'endless'];
  for (const fault of faults) {
    provider.faults.token = fault;
    await ask({ ...fields, code });
  }
  await ask({ ...fields, grant_type: 'x-secret' });
  await system.post('/auth/token', '{"client_secret":"c-secret"', { role: null });

  const log = system.log.join('\n');
  expect(log).toContain('/auth/token');
  expect(log).toContain('the token endpoint of the identity provider cannot be reached');
  expect(secrets.filter((secret) => log.includes(secret))).toEqual([]);
  expect(log.toLowerCase()).not.toContain('authorization"');
});
