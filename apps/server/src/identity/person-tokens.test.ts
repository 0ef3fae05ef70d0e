import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import { decodeProtectedHeader, exportJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type IdentityProvider, startIdentityProvider } from '@calculaud/testing/identity-provider';
import { admin, bearer, eager, type SignInApp, signInApp } from './testing/app.ts';

const open: { close(): Promise<void> }[] = [];
let provider: IdentityProvider;
let system: SignInApp;

beforeAll(async () => {
  provider = await startIdentityProvider();
  system = await signInApp(provider, eager);
  open.push(provider, system);
});

afterAll(async () => {
  for (const each of open.toReversed()) await each.close();
});

function seconds(fromNow: number): number {
  return Math.floor(Date.now() / 1000) + fromNow;
}

/** A token put together by hand. */
function forge(header: unknown, claims: unknown, signature: (content: string) => string): string {
  const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const content = `${encode(header)}.${encode(claims)}`;
  return `${content}.${signature(content)}`;
}

describe('a good token', () => {
  test.each([
    ['admin', { role: 'calAdmins' }, 200, 422],
    ['user', { role: 'calUsers' }, 200, 403],
    ['several roles', { role: ['x', 'calUsers', 'calAdmins'] }, 200, 422],
    ['neither role', { role: ['x'] }, 403, 403],
    ['no role claim', {}, 403, 403],
    ['roles as an object', { role: { calAdmins: true } }, 403, 403],
  ])('of %s reads and writes as its role allows', async (_name, claims, reading, writing) => {
    const token = await provider.sign(claims);
    expect((await system.read(token)).status).toBe(reading);
    const options = { role: null, headers: bearer(token) };
    expect((await system.post('/budget-sources/', {}, options)).status).toBe(writing);
  });

  test.each(['Bearer', 'bearer', 'BEARER'])('may come under the scheme %s', async (scheme) => {
    const authorization = `${scheme} ${await provider.sign(admin)}`;
    expect((await system.get('/budget-sources/', { role: null, headers: { authorization } })).status).toBe(
      200,
    );
  });

  test('may be signed with any algorithm on the list', async () => {
    expect((await system.read(await provider.sign(admin, { algorithm: 'ES256' }))).status).toBe(200);
  });

  test('need not name its key while there is one for its algorithm only', async () => {
    expect((await system.read(await provider.sign(admin, { header: { kid: undefined } }))).status).toBe(200);
  });

  test('may have expired as long ago as clocks differ, and need not have a subject', async () => {
    expect((await system.read(await provider.sign({ ...admin, exp: seconds(-10) }))).status).toBe(200);
    expect((await system.read(await provider.sign({ ...admin, sub: undefined }))).status).toBe(200);
  });
});

describe('a token that must not be believed', () => {
  const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const good = () => ({ iss: provider.issuer, sub: 'x', exp: seconds(300), ...admin });
  const attacks: readonly (readonly [name: string, forge: () => Promise<string> | string, reason: string])[] =
    [
      ['without signature', () => forge({ alg: 'none' }, good(), () => ''), 'algorithm'],
      ['without signature, spelt otherwise', () => forge({ alg: 'nOnE' }, good(), () => ''), 'algorithm'],
      [
        'signed with the public key as a shared secret',
        async () => {
          const secret = await provider.publicKey();
          return forge({ alg: 'HS256' }, good(), (content) =>
            createHmac('sha256', secret).update(content).digest('base64url'),
          );
        },
        'algorithm',
      ],
      [
        'signed with an algorithm not on the list',
        () => provider.sign(admin, { algorithm: 'PS256' }),
        'algorithm',
      ],
      [
        'signed by somebody else under the name of a real key',
        async () => {
          const real = await provider.sign({});
          return new SignJWT(good())
            .setProtectedHeader({ ...decodeProtectedHeader(real), alg: 'RS256' })
            .sign(attacker.privateKey);
        },
        'signature',
      ],
      [
        'that brings its own key along',
        async () =>
          new SignJWT(good())
            .setProtectedHeader({ alg: 'RS256', kid: 'mine', jwk: await exportJWK(attacker.publicKey) })
            .sign(attacker.privateKey),
        'key',
      ],
      [
        'that names where its key is',
        () =>
          new SignJWT(good())
            .setProtectedHeader({ alg: 'RS256', kid: 'mine', jku: `${provider.issuer}/elsewhere` })
            .sign(attacker.privateKey),
        'key',
      ],
      [
        'whose claims were changed after signing',
        async () => {
          const [header, , signature] = (await provider.sign({ role: 'calUsers' })).split('.');
          return `${header}.${Buffer.from(JSON.stringify(good())).toString('base64url')}.${signature}`;
        },
        'signature',
      ],
      ['with an unknown key', () => provider.sign(admin, { header: { kid: 'unknown' } }), 'key'],
      [
        'with a critical extension',
        () => provider.sign(admin, { header: { crit: ['x'], x: 1 } }).catch(() => 'x'),
        '',
      ],
      ['of another issuer', () => provider.sign({ ...admin, iss: 'https://evil.example' }), 'iss'],
      [
        'of an issuer that begins like ours',
        () => provider.sign({ ...admin, iss: `${provider.issuer}/` }),
        'iss',
      ],
      ['of several issuers', () => provider.sign({ ...admin, iss: [provider.issuer] }), 'iss'],
      ['without issuer', () => provider.sign({ ...admin, iss: undefined }), 'iss'],
      ['for another audience', () => provider.sign({ ...admin, aud: 'another' }), 'aud'],
      ['that has expired', () => provider.sign({ ...admin, exp: seconds(-40) }), 'expired'],
      ['without expiry', () => provider.sign({ ...admin, exp: undefined }), 'exp'],
      ['with an expiry that is a text', () => provider.sign({ ...admin, exp: '2999-01-01' }), ''],
      ['that is not valid yet', () => provider.sign({ ...admin, nbf: seconds(60) }), 'nbf'],
      ['with a subject that cannot be stored', () => provider.sign({ ...admin, sub: 'a\u0000' }), 'sub'],
      ['that is no token', () => 'something', 'malformed'],
      ['that is three dots', () => '..', 'malformed'],
      ['whose claims are a list', () => forge({ alg: 'RS256' }, [], () => 'AAAA'), ''],
      ['with five parts', () => 'a.b.c.d.e', 'malformed'],
    ];

  test.each(attacks)('%s is refused', async (_name, make, reason) => {
    const answer = await system.read(await make());
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
    expect(answer.json()).toMatchObject({ code: 'invalid_token', detail: expect.stringContaining(reason) });
  });

  test.each([undefined, '', 'Bearer', 'Bearer ', 'Basic dXNlcjpwYXNz', 'Bearer two words', 'Token abc'])(
    'that is missing (%s) is asked for',
    async (authorization) => {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const answer = await system.get('/budget-sources/', { role: null, headers });
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    },
  );
});

describe('an audience', () => {
  test('that is configured must be named, by the audience or by the client of a token without one', async () => {
    const app = await signInApp(provider, eager, { AUTH_AUDIENCE: 'calculaud' });
    open.push(app);
    const statusOf = async (claims: Record<string, unknown>) =>
      (await app.read(await provider.sign({ ...admin, ...claims }))).status;
    expect(await statusOf({ aud: 'calculaud' })).toBe(200);
    expect(await statusOf({ aud: ['a', 'calculaud'] })).toBe(200);
    expect(await statusOf({ client_id: 'calculaud' })).toBe(200);
    expect(await statusOf({ aud: 'a' })).toBe(401);
    expect(await statusOf({})).toBe(401);
  });
});

describe('the person behind the token', () => {
  async function principals(sub: string) {
    return system.db
      .selectFrom('principal')
      .select(['id', 'kind', 'name', 'email'])
      .where('subject', '=', `${provider.issuer}|${sub}`)
      .execute();
  }

  test('is written down once, with the newest name, and as the author of what he changes', async () => {
    const sub = randomUUID();
    const dana = { ...admin, sub, name: 'Dana', email: 'dana@example.org' };
    const authorization = `Bearer ${await provider.sign(dana)}`;
    const name = `Budget of ${sub}`;
    const created = await system.post(
      '/budget-sources/',
      { name },
      { role: null, headers: { authorization } },
    );
    expect(created.status).toBe(201);
    await system.read(await provider.sign({ ...dana, name: 'Dana Levi' }));

    const [person, ...others] = await principals(sub);
    expect(others).toEqual([]);
    expect(person).toMatchObject({ kind: 'person', name: 'Dana Levi', email: 'dana@example.org' });
    const { created_by } = await system.db
      .selectFrom('budget_source')
      .select('created_by')
      .where('name', '=', name)
      .executeTakeFirstOrThrow();
    expect(created_by).toBe(person?.id);
  });

  test('is written down once when all his first requests come at the same time', async () => {
    const sub = randomUUID();
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, jti) => provider.sign({ ...admin, sub, jti })),
    );
    const answers = await Promise.all(tokens.map((token) => system.read(token)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(await principals(sub)).toHaveLength(1);
  });

  test('costs the database nothing while his token is remembered', async () => {
    const sub = randomUUID();
    const token = await provider.sign({ ...admin, sub, name: 'Dana' });
    await system.read(token);
    await system.db
      .updateTable('principal')
      .set({ name: 'Changed meanwhile' })
      .where('subject', '=', `${provider.issuer}|${sub}`)
      .execute();
    await system.read(token);
    expect(await principals(sub)).toMatchObject([{ name: 'Changed meanwhile' }]);
  });
});
