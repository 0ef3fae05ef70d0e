import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type IdentityProvider, startIdentityProvider } from '@calculaud/testing/identity-provider';
import { buildApp } from '../app.ts';
import { formatApiToken, newSecret, parseApiToken } from './api-token.ts';
import { createAuthenticator } from './authenticate.ts';
import { findToken, noteUse } from './queries.ts';
import { createApiToken, listApiTokens, revokeApiToken, systemPrincipal } from './service.ts';
import { bearer, eager, type SignInApp, signInApp } from './testing/app.ts';

let provider: IdentityProvider;
let system: SignInApp;

beforeAll(async () => {
  provider = await startIdentityProvider();
  system = await signInApp(provider, eager);
});

afterAll(async () => {
  await system.close();
  await provider.close();
});

// The time that sign-in measures its memory by is moved on by hand.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function statusOf(token: string): Promise<number> {
  return (await system.read(token)).status;
}

async function listed(id: number) {
  return (await listApiTokens(system.db)).find((token) => token.id === id);
}

/** As the owner of the database, who may do what the application may not. */
async function asOwner<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: system.ownerUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

describe('an API token', () => {
  test.each([
    ['admin', 422],
    ['user', 403],
  ] as const)('of the role %s reads, and writes as the role allows', async (role, writing) => {
    const { token } = await createApiToken(system.db, { name: 'Script', role });
    expect(await statusOf(token)).toBe(200);
    const options = { role: null, headers: bearer(token) };
    expect((await system.post('/budget-sources/', {}, options)).status).toBe(writing);
  });

  test('is the author of what it changes', async () => {
    const { id, token } = await createApiToken(system.db, { name: 'Importer', role: 'admin' });
    const body = { name: 'Made by the importer' };
    await system.post('/budget-sources/', body, { role: null, headers: bearer(token) });
    const author = await system.db
      .selectFrom('budget_source')
      .innerJoin('principal', 'principal.id', 'budget_source.created_by')
      .select(['principal.kind', 'principal.subject', 'principal.name'])
      .where('budget_source.name', '=', body.name)
      .executeTakeFirst();
    expect(author).toEqual({ kind: 'token', subject: String(id), name: 'Importer' });
  });

  test('is listed with all that may be known about it, and its secret is nowhere', async () => {
    const creator = await systemPrincipal(system.db, 'test', 'The test');
    const expiresAt = new Date(Date.now() + 3_600_000);
    const options = { name: ' Backup ', role: 'user', expiresAt, createdBy: creator } as const;
    const { id, token } = await createApiToken(system.db, options);
    expect(await listed(id)).toEqual({
      id,
      name: 'Backup',
      role: 'user',
      state: 'active',
      created_at: expect.any(Date),
      created_by: 'The test',
      expires_at: expiresAt,
      revoked_at: null,
      last_used_at: null,
    });
    await statusOf(token);
    await revokeApiToken(system.db, id);
    const secret = parseApiToken(token)?.secret ?? '';
    const everything = await asOwner((owner) =>
      owner.query<{ text: string }>(
        `select string_agg(row, '') as text from (
           select to_jsonb(t)::text as row from api_token t union all select to_jsonb(p)::text from principal p
           union all select to_jsonb(a)::text from audit_entry a) rows`,
      ),
    );
    expect(secret).toHaveLength(40);
    expect(everything.rows[0]?.text).toContain('Backup');
    expect(everything.rows[0]?.text).not.toContain(secret);
  });

  test.each([
    { name: ' ' },
    { name: 'x'.repeat(256) },
    { expiresAt: new Date(0) },
    { expiresAt: new Date('never') },
  ])('is not created from %o', async (wrong) => {
    const creating = createApiToken(system.db, { name: 'Script', role: 'user', ...wrong });
    await expect(creating).rejects.toMatchObject({ status: 422 });
  });

  test.each([
    ['with another secret', (id: number) => formatApiToken({ id, secret: newSecret() }), 'unknown'],
    ['of an id that there is not', () => formatApiToken({ id: 999_999_999, secret: newSecret() }), 'unknown'],
    ['that was cut off', (_id: number, token: string) => token.slice(0, -1), 'unknown'],
    ['that is the prefix only', () => 'cal_', 'unknown'],
  ])('%s is refused', async (_case, change, reason) => {
    const { id, token } = await createApiToken(system.db, { name: 'Script', role: 'admin' });
    const answer = await system.read(change(id, token));
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
    expect(answer.json()).toMatchObject({ detail: expect.stringContaining(reason) });
  });

  test('works until it expires', async () => {
    const { id, token } = await createApiToken(system.db, {
      name: 'Script',
      role: 'user',
      expiresAt: new Date(Date.now() + 3_600_000),
    });
    expect(await statusOf(token)).toBe(200);
    await asOwner((owner) =>
      owner.query("update api_token set expires_at = now() - interval '1 second' where id = $1", [id]),
    );
    vi.advanceTimersByTime(5_000);
    const answer = await system.read(token);
    expect(answer.status).toBe(401);
    expect(answer.json()).toMatchObject({ detail: 'The API token has expired' });
    expect(await listed(id)).toMatchObject({ state: 'expired' });
  });
});

describe('revoking', () => {
  test('ends a token that is in use within five seconds, in every server process', async () => {
    const { services } = system;
    const logStream = { write: () => undefined };
    const other = await buildApp({ ...services, logStream, authenticate: createAuthenticator(services) });
    try {
      const { id, token } = await createApiToken(system.db, { name: 'Script', role: 'user' });
      const elsewhere = () => other.inject({ url: '/api/v1/budget-sources/', headers: bearer(token) });
      expect(await statusOf(token)).toBe(200);
      expect((await elsewhere()).statusCode).toBe(200);
      await revokeApiToken(system.db, id);
      vi.advanceTimersByTime(5_000);
      const answer = await system.read(token);
      expect(answer.status).toBe(401);
      expect(answer.json()).toMatchObject({ detail: 'The API token was revoked' });
      expect((await elsewhere()).statusCode).toBe(401);
    } finally {
      await other.close();
    }
  });

  test('keeps the first time and the author, and refuses an id that there is not', async () => {
    const revoker = await systemPrincipal(system.db, 'revoker', 'The revoker');
    const { id } = await createApiToken(system.db, { name: 'Script', role: 'user' });
    await revokeApiToken(system.db, id, revoker);
    const first = await listed(id);
    expect(first).toMatchObject({ state: 'revoked', revoked_at: expect.any(Date) });
    await revokeApiToken(system.db, id);
    expect(await listed(id)).toEqual(first);
    await expect(revokeApiToken(system.db, 999_999_999)).rejects.toMatchObject({ status: 404 });
  });

  test('and creating are in the audit trail, uses are not', async () => {
    const { id, token } = await createApiToken(system.db, { name: 'Script', role: 'user' });
    await statusOf(token);
    await expect.poll(async () => (await listed(id))?.last_used_at).toBeInstanceOf(Date);
    await revokeApiToken(system.db, id);
    const trail = await asOwner((owner) =>
      owner.query(
        "select action from audit_entry where entity = 'api_token' and entity_id = $1 order by id",
        [id],
      ),
    );
    expect(trail.rows).toEqual([{ action: 'insert' }, { action: 'update' }]);
  });
});

describe('the last use', () => {
  async function usedAgo(id: number, interval: string): Promise<void> {
    await asOwner((owner) =>
      owner.query('update api_token set last_used_at = now() - $2::interval where id = $1', [id, interval]),
    );
  }

  test('is written down at most once a minute', async () => {
    const { id } = await createApiToken(system.db, { name: 'Script', role: 'user' });
    expect(await findToken(system.db, id)).toMatchObject({ use_is_due: true });
    await usedAgo(id, '50 seconds');
    const before = await listed(id);
    expect(await findToken(system.db, id)).toMatchObject({ use_is_due: false });
    await noteUse(system.db, id);
    expect(await listed(id)).toEqual(before);

    await usedAgo(id, '61 seconds');
    expect(await findToken(system.db, id)).toMatchObject({ use_is_due: true });
    await noteUse(system.db, id);
    expect((await listed(id))?.last_used_at?.getTime()).toBeGreaterThan(before?.last_used_at?.getTime() ?? 0);
  });

  test('never lets a request wait', async () => {
    const { id, token } = await createApiToken(system.db, { name: 'Script', role: 'user' });
    await asOwner(async (owner) => {
      await owner.query('begin');
      await owner.query('select from api_token where id = $1 for update', [id]);
      expect(await statusOf(token)).toBe(200);
      expect(await listed(id)).toMatchObject({ last_used_at: null });
      await owner.query('rollback');
    });
    await expect.poll(async () => (await listed(id))?.last_used_at).toBeInstanceOf(Date);
  });
});
