import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';
import { createAuthenticator } from './authenticate.ts';
import { createApiToken } from './service.ts';
import { bearer } from './testing/app.ts';

describe('the order of checks', () => {
  let system: TestApp;
  let reader: Record<string, string>;

  beforeAll(async () => {
    system = await testApp({}, { authenticator: (services) => createAuthenticator(services) });
    reader = bearer((await createApiToken(system.db, { name: 'Reader', role: 'user' })).token);
  });

  afterAll(async () => {
    await system.close();
  });

  const tooLarge = JSON.stringify({ name: 'x'.repeat(2 * 1024 * 1024) });

  test.each([
    ['broken JSON', '{'],
    ['an invalid body', '{}'],
    ['a body that is too large', tooLarge],
  ])('without a token %s is not looked at', async (_case, body) => {
    expect((await system.post('/budget-sources/', body, { role: null })).status).toBe(401);
  });

  test.each([
    ['broken JSON', '{'],
    ['an invalid body', '{}'],
    ['a body that is too large', tooLarge],
  ])('of a reader who may not write, %s is not looked at', async (_case, body) => {
    const answer = await system.post('/budget-sources/', body, { role: null, headers: reader });
    expect(answer.status).toBe(403);
  });

  test('whether a record or page exists is told to those who may read only', async () => {
    expect((await system.get('/budget-sources/99999', { role: null })).status).toBe(401);
    expect((await system.get('/budget-sources/?limit=0', { role: null })).status).toBe(401);
    expect((await system.get('/budget-sources/99999', { role: null, headers: reader })).status).toBe(404);
  });

  test('a path or method that there is not comes before everything', async () => {
    expect((await system.get('/nothing-of-the-kind', { role: null })).status).toBe(404);
    expect((await system.put('/budget-sources/', {}, { role: null })).status).toBe(405);
  });

  test('a server without identity provider takes its own tokens only', async () => {
    const answer = await system.get('/budget-sources/', { role: null, headers: bearer('a.b.c') });
    expect(answer.status).toBe(401);
    expect(answer.json()).toMatchObject({ code: 'invalid_token' });
  });
});

describe('without sign-in (BYPASS_AUTH)', () => {
  let system: TestApp;
  const log: string[] = [];

  beforeAll(async () => {
    system = await testApp(
      { BYPASS_AUTH: 'true', PORT: '0', LOG_LEVEL: 'info' },
      {
        authenticator: (services) => createAuthenticator(services),
        logStream: { write: (line) => log.push(line) },
      },
    );
  });

  afterAll(async () => {
    await system.close();
  });

  test('everybody is the local administrator, and every answer says so', async () => {
    const created = await system.post('/budget-sources/', { name: 'Bypassed' }, { role: null });
    expect(created.status).toBe(201);
    expect(created.headers['x-calculaud-auth']).toBe('bypassed');
    const author = await system.db
      .selectFrom('budget_source')
      .innerJoin('principal', 'principal.id', 'budget_source.created_by')
      .select(['principal.kind', 'principal.name'])
      .where('budget_source.name', '=', 'Bypassed')
      .executeTakeFirst();
    expect(author).toEqual({ kind: 'system', name: 'Local administrator' });
  });

  test.each([
    [{ host: 'localhost:8000', origin: 'http://localhost:8080' }, 200],
    [{ host: '127.0.0.1', origin: 'http://127.0.0.1:3000' }, 200],
    [{ host: '[::1]:8000', origin: 'http://[::1]:8080' }, 200],
    [{ host: 'localhost', origin: 'https://evil.example' }, 403],
    [{ host: 'localhost', origin: 'null' }, 403],
    [{ host: 'localhost', origin: 'http://localhost.evil.example' }, 403],
    [{ host: 'points-here.evil.example:8000' }, 403],
  ])('a browser with a page of somebody else is kept out: %o', async (headers, status) => {
    expect((await system.get('/budget-sources/', { role: null, headers })).status).toBe(status);
  });

  test('the start says it loudly', async () => {
    await system.app.listen({ host: '127.0.0.1', port: 0 });
    const warning = log.find((line) => line.includes('SIGN-IN IS OFF'));
    expect(JSON.parse(warning ?? '{}')).toMatchObject({
      level: 40,
      msg: expect.stringContaining('BYPASS_AUTH'),
    });
  });
});

describe('with sign-in', () => {
  test('no answer says that it is bypassed, and a missing audience is named at the start', async () => {
    const log: string[] = [];
    const system = await testApp(
      { AUTH_JWKS_URL: 'http://127.0.0.1:1/keys', AUTH_ISSUER: 'idp', PORT: '0', LOG_LEVEL: 'info' },
      {
        authenticator: (services) => createAuthenticator(services),
        logStream: { write: (line) => log.push(line) },
      },
    );
    try {
      const answer = await system.get('/budget-sources/', { role: null });
      expect(answer.status).toBe(401);
      expect(answer.headers['x-calculaud-auth']).toBeUndefined();
      await system.app.listen({ host: '127.0.0.1', port: 0 });
      expect(log.join('')).toContain('AUTH_AUDIENCE is not set');
    } finally {
      await system.close();
    }
  });
});
