import { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, test, vi } from 'vitest';
import { isAlive } from '../packages/embedded/src/processes.ts';
import {
  connectEmbedded,
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../packages/embedded/src/supervisor.ts';
import {
  dataFolder,
  removeFoldersAfterwards,
  usedDataFolder,
} from '../packages/embedded/src/testing/folders.ts';
import { hold } from '../packages/embedded/src/testing/hold.ts';
import { query } from '../packages/embedded/src/testing/query.ts';

removeFoldersAfterwards();

vi.setConfig({ testTimeout: 60_000 });

/** Inserts numbers one by one until the server is gone, and returns those that were acknowledged. */
async function insertUntilGone(server: EmbeddedPostgres, from: number, kill: () => void): Promise<number[]> {
  const client = new Client({ connectionString: server.connectionString('owner') });
  client.on('error', () => undefined);
  await client.connect();
  const acknowledged: number[] = [];
  try {
    for (let id = from; ; id += 1) {
      await client.query('insert into entry values ($1)', [id]);
      acknowledged.push(id);
      if (acknowledged.length === 100) kill();
    }
  } catch {
    return acknowledged;
  }
}

test('a server killed in the middle of writes loses nothing acknowledged and needs no help to start again', async () => {
  const folder = dataFolder();
  let server = await startEmbeddedPostgres({ dataDirectory: folder });
  await query(server.connectionString('owner'), 'create table entry (id int primary key)');
  const acknowledged: number[] = [];
  // First the postmaster alone, whose backends then find out by themselves; then all of its processes at once.
  for (const target of ['postmaster', 'all processes', 'postmaster']) {
    const { pid } = server;
    const kill = (): void => {
      process.kill(target === 'postmaster' ? pid : -pid, 'SIGKILL');
    };
    acknowledged.push(...(await insertUntilGone(server, acknowledged.length * 10, kill)));
    expect(await server.onExit).toMatch(/ended unexpectedly/);
    await server.stop();

    server = await startEmbeddedPostgres({ dataDirectory: folder });
    const rows = await query(server.connectionString('owner'), 'table entry');
    const found = new Set(rows.map(({ id }) => id));
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(300);
  await server.stop();
});

test('a backend that has not noticed the death of its server does not stand in the way', async () => {
  const folder = await usedDataFolder();
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  const client = new Client({ connectionString: server.connectionString('app') });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const backend = rows[0]?.pid ?? 0;
  process.kill(backend, 'SIGSTOP');
  process.kill(server.pid, 'SIGKILL');
  await server.onExit;
  await server.stop();
  expect(isAlive(backend)).toBe(true);

  const next = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  expect(isAlive(backend)).toBe(false);
  expect(await query(next.connectionString('app'), 'select 1 as one')).toEqual([{ one: 1 }]);
  await next.stop();
});

test('the server that a killed process left running is taken over as it is, and its end is noticed', async () => {
  const folder = await usedDataFolder();
  const holder = hold(folder);
  const { pid } = await holder.server();
  await holder.kill();
  expect(isAlive(pid)).toBe(true);

  const log: string[] = [];
  const start = { dataDirectory: folder, durability: 'none', log: (line: string) => log.push(line) } as const;
  const server = await startEmbeddedPostgres(start);
  expect(server.pid).toBe(pid);
  expect(log).toEqual([`Took over the database server that was left running (process ${pid}).`]);
  expect(await query(server.connectionString('app'), 'select 1 as one')).toEqual([{ one: 1 }]);
  process.kill(pid, 'SIGKILL');
  expect(await server.onExit).toMatch(/ended unexpectedly/);
  await server.stop();
});

test('a server left running with other settings is restarted', async () => {
  const folder = await usedDataFolder();
  const holder = hold(folder);
  const { pid } = await holder.server();
  await holder.kill();
  const server = await startEmbeddedPostgres({ dataDirectory: folder });
  expect(server.pid).not.toBe(pid);
  expect(isAlive(pid)).toBe(false);
  expect(await query(server.connectionString('app'), 'show fsync')).toEqual([{ fsync: 'on' }]);
  await server.stop();
});

test('a start that was killed while it made the cluster is simply done again', async () => {
  const folder = dataFolder();
  const unfinished = (): string[] => readdirSync(folder).filter((name) => name.startsWith('postgres.unf'));
  const killed = hold(folder);
  // The moment when initdb has written the first of its files.
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (unfinished().some((name) => existsSync(join(folder, name, 'PG_VERSION')))) resolve();
      else setImmediate(look);
    };
    look();
  });
  await killed.kill();
  expect(existsSync(join(folder, 'postgres'))).toBe(false);
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  expect(await query(server.connectionString('app'), 'select 1 as one')).toEqual([{ one: 1 }]);
  expect(unfinished()).toEqual([]);
  await server.stop();
});

/** A data folder whose server was killed, with these words in its postmaster.pid. */
async function crashedFolder(edit: (lines: string[]) => string[]): Promise<string> {
  const folder = await usedDataFolder();
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  process.kill(-server.pid, 'SIGKILL');
  await server.onExit;
  await server.stop();
  const path = join(folder, 'postgres', 'postmaster.pid');
  writeFileSync(path, edit(readFileSync(path, 'utf8').split('\n')).join('\n'));
  return folder;
}

test('a process id that now belongs to another program is left alone and does not stop the start', async () => {
  let other = 0;
  const folder = await crashedFolder((lines) => lines);
  // Of the server's own user: of such a process PostgreSQL itself would believe that it is a server.
  const { uid, gid } = statSync(join(folder, 'postgres'));
  const program = spawn('sleep', ['60'], { uid, gid });
  await once(program, 'spawn');
  other = program.pid ?? 0;
  const path = join(folder, 'postgres', 'postmaster.pid');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^\d+/, String(other)));

  expect(await connectEmbedded(folder)).toBeUndefined();
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  expect(await query(server.connectionString('app'), 'select 1 as one')).toEqual([{ one: 1 }]);
  await server.stop();
  expect(program.exitCode ?? program.signalCode).toBeNull();
  program.kill();
});

test("another cluster's server is neither talked to nor stopped", async () => {
  const stranger = await startEmbeddedPostgres({ dataDirectory: await usedDataFolder(), durability: 'none' });
  const folder = await crashedFolder((lines) =>
    lines.map((line, index) =>
      index === 0 ? String(stranger.pid) : index === 4 ? stranger.socketDirectory : line,
    ),
  );
  expect(await connectEmbedded(folder)).toBeUndefined();
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  expect(server.pid).not.toBe(stranger.pid);
  await server.stop();
  expect(await query(stranger.connectionString('app'), 'select 1 as one')).toEqual([{ one: 1 }]);
  await stranger.stop();
});

test('a stranger that answers on our own socket is found out, even if he knows the passwords', async () => {
  // Two copies of one folder have the same secret and the same identity.
  const stranger = await startEmbeddedPostgres({ dataDirectory: await usedDataFolder(), durability: 'none' });
  const folder = await usedDataFolder();
  const holder = hold(folder);
  const { pid, socketDirectory } = await holder.server();
  await holder.kill();
  const socket = join(socketDirectory, '.s.PGSQL.5432');
  rmSync(socket);
  symlinkSync(join(stranger.socketDirectory, '.s.PGSQL.5432'), socket);

  await expect(connectEmbedded(folder)).rejects.toThrow(/The server that answers belongs to .*, not to/);
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  expect(server.pid).not.toBe(pid);
  expect(isAlive(pid)).toBe(false);
  expect(isAlive(stranger.pid)).toBe(true);
  await server.stop();
  await stranger.stop();
});

test('a lost secret is replaced and the passwords are set anew, with or without a server left running', async () => {
  const folder = await usedDataFolder();
  const holder = hold(folder);
  const before = await holder.server();
  await holder.kill();
  rmSync(join(folder, 'postgres.secret'));
  for (let round = 0; round < 2; round += 1) {
    const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
    expect(server.connectionString('app')).not.toBe(before.app);
    expect(await query(server.connectionString('app'), 'select current_user as me')).toEqual([
      { me: 'calculaud_app' },
    ]);
    await expect(query(before.app)).rejects.toThrow(/password authentication failed/);
    await server.stop();
    rmSync(join(folder, 'postgres.secret'));
  }
  expect(readFileSync(join(folder, 'postgres.log'), 'utf8')).not.toMatch(/PASSWORD/);
});

test('a killed server with a long path gets the same socket folder again, so that connection strings stay valid', async () => {
  const folder = join(dataFolder(), 'x'.repeat(100));
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  process.kill(-server.pid, 'SIGKILL');
  await server.onExit;
  await server.stop();
  const next = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  expect(await query(server.connectionString('app'), 'select 1 as one')).toEqual([{ one: 1 }]);
  await next.stop();
  expect(existsSync(next.socketDirectory)).toBe(false);
});
