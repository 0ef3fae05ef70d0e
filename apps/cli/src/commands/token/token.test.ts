import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { calculaud } from '../../testing/command-line.ts';

let database: TestDatabase;
let environment: Record<string, string>;
beforeAll(async () => {
  database = await createTestDatabase();
  environment = { DATABASE_URL: database.url('app') };
});
afterAll(() => database.drop());

async function create(name: string): Promise<number> {
  const { events } = await calculaud(
    ['token', 'create', '--role', 'user', '--name', name, '--json'],
    environment,
  );
  const [event] = events();
  expect(event).toMatchObject({ event: 'token_created', name });
  return Number(event && typeof event === 'object' && 'id' in event ? event.id : undefined);
}

test('a token is printed once and alone, and only its hash is stored', async () => {
  const { exitCode, stdout, stderr } = await calculaud('token create --role admin --name me', environment);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^cal_\S+\n$/);
  expect(stderr).toContain('"me" with the role admin, until it is revoked');
  expect(stderr).not.toContain(stdout.trim());

  const secret = stdout.trim().split('_')[2] ?? '';
  const { rows } = await database.pool.query<{ stored: string }>(
    'select string_agg(to_jsonb(t)::text, $1) as stored from (select * from api_token) t',
    [','],
  );
  expect(rows[0]?.stored).toContain('admin');
  expect(rows[0]?.stored).not.toContain(secret);
  expect((await calculaud('token list --json', environment)).stdout).not.toContain(secret);
});

test('a token is listed with what is known of it', async () => {
  const { exitCode, stderr } = await calculaud(
    ['token', 'create', '--role', 'user', '--name', 'nightly report', '--expires', '2999-12-31'],
    environment,
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringContaining('until 3000-01-01') });
  const { stdout } = await calculaud('token list', environment);
  expect(stdout).toMatch(/nightly report +user +active +\S+Z +3000-01-01T00:00Z +-$/m);
});

test('a token is revoked only after a confirmation', async () => {
  const id = await create('to be revoked');
  const unconfirmed = await calculaud(`token revoke ${id}`, environment);
  expect(unconfirmed.exitCode).toBe(3);
  expect(unconfirmed.stderr).toContain(`- token ${id} "to be revoked" (user)`);
  expect(unconfirmed.stderr).toContain('Add --yes');
  expect((await calculaud('token list', environment)).stdout).toMatch(/to be revoked +user +active/);

  const revoked = await calculaud(`token revoke ${id} --yes --json`, environment);
  expect(revoked.exitCode).toBe(0);
  expect(revoked.events()).toEqual([
    { version: 1, event: 'token_revoked', id, revoked_at: expect.stringMatching(/Z$/) },
  ]);
  expect((await calculaud('token list', environment)).stdout).toMatch(/to be revoked +user +revoked/);
});

test('a token that is revoked already stays as it is', async () => {
  const id = await create('revoked twice');
  await calculaud(`token revoke ${id} --yes`, environment);
  const again = await calculaud(`token revoke ${id}`, environment);
  expect(again).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('revoked already') });
});

test.each([
  [['token', 'create', '--role', 'root', '--name', 'x'], 'Allowed choices are user, admin'],
  [['token', 'create', '--role', 'user'], "required option '--name <name>' not specified"],
  [['token', 'create', '--role', 'user', '--name', ' '], 'The name of an API token has 1 to 255 characters'],
  [['token', 'create', '--role', 'user', '--name', 'x', '--expires', 'soon'], '"soon" is no time'],
  [['token', 'create', '--role', 'user', '--name', 'x', '--expires', '2020-01-01'], 'lies in the future'],
  [['token', 'revoke', '999999'], 'There is no token 999999'],
  [['token', 'revoke', '1e3'], '"1e3" is no number of a token'],
])('%j is refused', async (line, reason) => {
  const { exitCode, stdout, stderr } = await calculaud(line, environment);
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toContain(reason);
});

test('a database without the schema is refused with what to do', async () => {
  const empty = await createTestDatabase({ empty: true });
  try {
    const { exitCode, stderr } = await calculaud('token list', { DATABASE_URL: empty.url('owner') });
    expect(exitCode).toBe(3);
    expect(stderr).toContain('calculaud db migrate');
  } finally {
    await empty.drop();
  }
});
