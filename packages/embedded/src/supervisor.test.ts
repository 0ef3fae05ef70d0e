import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DATABASE_ROLES } from './roles.ts';
import { connectEmbedded, type EmbeddedPostgres, startEmbeddedPostgres } from './supervisor.ts';
import { dataFolder, removeFoldersAfterwards, usedDataFolder, users } from './testing/folders.ts';
import { hold } from './testing/hold.ts';
import { query } from './testing/query.ts';

removeFoldersAfterwards();

vi.setConfig({ testTimeout: 60_000 });

test.each(users.map((user) => [user.name, user] as const))(
  'the first start as %s makes everything, the second finds it again',
  async (_name, user) => {
    const folder = dataFolder(user);
    const first = hold(folder, user);
    const { app } = await first.server();
    expect(await query(app, 'select current_user as me')).toEqual([{ me: 'calculaud_app' }]);
    const owner = (await connectEmbedded(folder))?.connectionString('owner') ?? '';
    const written = await query(
      owner,
      'create table kept (id int)',
      'insert into kept values (7)',
      'table kept',
    );
    expect(written).toEqual([{ id: 7 }]);
    await first.stop();
    expect(await connectEmbedded(folder)).toBeUndefined();

    const second = hold(folder, user);
    await second.server();
    expect(await query(owner, 'table kept')).toEqual([{ id: 7 }]);
    await second.stop();
  },
);

describe('a running server', () => {
  let folder: string;
  let server: EmbeddedPostgres;

  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'calculaud-embedded-')));
    server = await startEmbeddedPostgres({ dataDirectory: folder });
  });

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  test('shows its files, socket and secret to nobody, listens on no network and wants the password', async () => {
    const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
    expect(modeOf(join(folder, 'postgres'))).toBe('700');
    expect(modeOf(server.socketDirectory)).toBe('700');
    expect(modeOf(join(folder, 'postgres.secret'))).toBe('600');
    expect(modeOf(join(folder, 'postgres.log'))).toBe('600');
    const app = server.connectionString('app');
    expect(await query(app, 'show listen_addresses')).toEqual([{ listen_addresses: '' }]);
    const wrong = app.replace(/:[^:@]+@/, ':guessed@');
    await expect(query(wrong)).rejects.toThrow(/password authentication failed/);
  });

  test('lets each role do its own work, and none is a superuser', async () => {
    const roles = await query(
      server.connectionString('app'),
      `select rolname as role, rolsuper or rolcreaterole or rolcreatedb or rolbypassrls as mighty, rolreplication as replicates
       from pg_roles where rolname like 'calculaud\\_%' order by 1`,
    );
    expect(roles).toEqual([
      { role: 'calculaud_app', mighty: false, replicates: false },
      { role: 'calculaud_backup', mighty: false, replicates: true },
      { role: 'calculaud_owner', mighty: false, replicates: false },
      { role: 'calculaud_readonly', mighty: false, replicates: false },
      { role: 'calculaud_worker', mighty: false, replicates: false },
    ]);
    for (const role of DATABASE_ROLES) {
      const me = await query(server.connectionString(role), 'select current_user as me');
      expect(me).toEqual([{ me: `calculaud_${role}` }]);
    }
    const creation = query(server.connectionString('app'), 'create table mine ()');
    await expect(creation).rejects.toThrow(/permission denied/);
    await query(server.connectionString('owner'), 'create table ours ()', 'create extension pg_trgm');
  });

  test('makes durable what is committed, checks its pages, and sorts text the same on every system', async () => {
    const app = server.connectionString('app');
    const settings = await query(
      app,
      `select name, setting from pg_settings where name in
         ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums', 'TimeZone', 'wal_level', 'jit')`,
    );
    expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
      TimeZone: 'UTC',
      data_checksums: 'on',
      fsync: 'on',
      full_page_writes: 'on',
      jit: 'off',
      synchronous_commit: 'on',
      wal_level: 'replica',
    });
    const [collation] = await query(
      app,
      `select datlocprovider as provider, datlocale as locale, pg_encoding_to_char(encoding) as encoding
       from pg_database where datname = current_database()`,
    );
    expect(collation).toEqual({ provider: 'b', locale: 'C.UTF-8', encoding: 'UTF8' });
  });
});

test('stopping does not wait for clients: open transactions are rolled back, and nobody is told of a crash', async () => {
  const folder = await usedDataFolder();
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  await query(server.connectionString('owner'), 'create table account (amount int)');
  const client = new Client({ connectionString: server.connectionString('owner') });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('begin');
  await client.query('insert into account values (1)');

  let crashReported = false;
  void server.onExit.then(() => (crashReported = true));
  const before = performance.now();
  await server.stop();
  expect(performance.now() - before).toBeLessThan(3_000);
  expect(crashReported).toBe(false);
  expect(readFileSync(join(folder, 'postgres.log'), 'utf8')).toMatch(/received fast shutdown request/);
  expect(existsSync(join(folder, 'postgres', 'postmaster.pid'))).toBe(false);

  const again = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  expect(await query(again.connectionString('owner'), 'table account')).toEqual([]);
  expect(readFileSync(join(folder, 'postgres.log'), 'utf8')).not.toMatch(/was not properly shut down/);
  await Promise.all([again.stop(), again.stop()]);
});

test('a path that is too long for a socket gets a short private folder, found again by commands beside', async () => {
  const folder = join(
    dataFolder(),
    'a-name-of-forty-characters-to-fill-space',
    'and-another-one-of-forty-characters-here',
  );
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  expect(server.socketDirectory.startsWith(folder)).toBe(false);
  expect((statSync(server.socketDirectory).mode & 0o777).toString(8)).toBe('700');
  expect((await connectEmbedded(folder))?.connectionString('app')).toBe(server.connectionString('app'));
  expect(await query(server.connectionString('app'), 'select 1 as one')).toEqual([{ one: 1 }]);
  await server.stop();
  expect(existsSync(server.socketDirectory)).toBe(false);
});

test('odd characters in the path of the data folder do no harm', async () => {
  const folder = join(dataFolder(), `it's a "fold,er" $HOME נתונים %41`);
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  expect(await query(server.connectionString('app'), 'select 1 as one')).toEqual([{ one: 1 }]);
  expect((await connectEmbedded(folder))?.pid).toBe(server.pid);
  await server.stop();
});
