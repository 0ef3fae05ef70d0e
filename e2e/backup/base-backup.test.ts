import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type BaseBackupFile,
  type BaseBackupOptions,
  takeBaseBackup,
} from '@calculaud/backup/postgres/base-backup';
import { parseLsn } from '@calculaud/backup/postgres/lsn';

let folder: string;
let server: EmbeddedPostgres;
let superuser: pg.Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-base-backup-'));
  server = await startEmbeddedPostgres({ dataDirectory: join(folder, 'data'), durability: 'none' });
  superuser = await connect(server.superuserConnectionString());
  await superuser.query(`
    create table big as select id, repeat(md5(id::text), 30) as text from generate_series(1, 20000) id;
    create table fact as select 42 as id`);
}, 60_000);
afterAll(async () => {
  await superuser.end();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function backUp(options: Partial<BaseBackupOptions> = {}) {
  return takeBaseBackup({
    connectionString: server.connectionString('backup'),
    label: "the operator's",
    store: drain,
    ...options,
  });
}

async function drain({ size, content }: BaseBackupFile) {
  const hash = createHash('sha256');
  for await (const bytes of content) hash.update(bytes);
  return { size, sha256: hash.digest('hex') };
}

async function value(sql: string): Promise<string> {
  const { rows } = await superuser.query<{ value: unknown }>(`select (${sql})::text as value`);
  return String(rows[0]?.value);
}

describe('a base backup', () => {
  test('has every file as the server announced it, and none of the log', async () => {
    const found = new Map<string, { size: number; sha256: string }>();
    const taken = await backUp({
      store: async (file) => {
        const seen = await drain(file);
        found.set(file.path, seen);
        return seen;
      },
    });
    expect(taken.systemId).toBe(await value('select system_identifier from pg_control_system()'));
    expect(taken).toMatchObject({ timeline: 1, postgresVersion: expect.stringMatching(/^18\./) });
    expect(parseLsn(taken.stopLsn)).toBeGreaterThan(parseLsn(taken.startLsn));
    expect(taken.directories).toContain('pg_wal/archive_status');
    expect(taken.directories.some((path) => path.startsWith('/') || path.includes('..'))).toBe(false);
    const big = await value("pg_relation_filepath('big')");
    expect(found.get(big)?.size).toBe(Number(await value("pg_relation_size('big')")));
    expect([...found.keys()]).toEqual(
      expect.arrayContaining(['backup_label', 'global/pg_control', 'PG_VERSION']),
    );
    expect([...found.keys()].filter((path) => path.startsWith('pg_wal/'))).toEqual([]);
    expect(taken.manifest.toString()).toContain(found.get(big)?.sha256);
  });

  test('with its log starts by itself', async () => {
    const restored = join(folder, 'restored');
    const cluster = join(restored, 'postgres');
    await mkdir(cluster, { recursive: true, mode: 0o700 });
    const { directories } = await backUp({
      includeWal: true,
      store: async ({ path, mode, size, content }) => {
        const target = join(cluster, path);
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        await pipeline(content, createWriteStream(target, { mode }));
        return drain({ path, mode, size, content: createReadStream(target) });
      },
    });
    for (const path of directories) await mkdir(join(cluster, path), { recursive: true, mode: 0o700 });
    const other = await startEmbeddedPostgres({ dataDirectory: restored, durability: 'none' });
    const client = await connect(other.superuserConnectionString('calculaud'));
    try {
      expect((await client.query('select id from public.fact')).rows).toEqual([{ id: 42 }]);
    } finally {
      await client.end();
      await other.stop();
    }
  }, 60_000);

  test('goes no faster than it is taken: some MiB wait, and the rest stays with the server', async () => {
    const big = await value("pg_relation_filepath('big')");
    let waiting = Number.NaN;
    await backUp({
      store: async ({ path, size, content }) => {
        const hash = createHash('sha256');
        let taken = 0;
        for await (const bytes of content) {
          hash.update(bytes);
          taken += bytes.length;
          if (path !== big || !Number.isNaN(waiting)) continue;
          const streamed = async () =>
            Number(await value('select backup_streamed from pg_stat_progress_basebackup'));
          // It goes on until nobody takes any more.
          let [before, now] = [-1, await streamed()];
          while (now !== before) {
            await pause(100);
            [before, now] = [now, await streamed()];
          }
          const all = Number(await value('select sum(pg_database_size(oid)) from pg_database'));
          waiting = now;
          expect(all - now).toBeGreaterThan(5_000_000);
        }
        return { size, sha256: hash.digest('hex') };
      },
    });
    expect(waiting).toBeGreaterThan(0);
  }, 30_000);

  test('stops when it is told to, also while a file is being stored', async () => {
    const stop = new AbortController();
    const reason = new Error('the time is over');
    const files: string[] = [];
    const store = async (file: BaseBackupFile) => {
      files.push(file.path);
      if (files.length === 3) stop.abort(reason);
      return drain(file);
    };
    await expect(backUp({ store, signal: stop.signal })).rejects.toBe(reason);
    expect(files.length).toBe(3);
    await expect(backUp({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('ends with what the store says, and leaves nothing behind in the server', async () => {
    const reason = new Error('no room');
    const store = async () => Promise.reject(reason);
    await expect(backUp({ store })).rejects.toBe(reason);
    await expect.poll(async () => value('select count(*) from pg_stat_progress_basebackup')).toBe('0');
  });

  test('is no backup when what was stored is not what the server says', async () => {
    const store = async (file: BaseBackupFile) => {
      const seen = await drain(file);
      return file.path === 'PG_VERSION' ? { ...seen, sha256: '0'.repeat(64) } : seen;
    };
    await expect(backUp({ store })).rejects.toMatchObject({ kind: 'corrupt', object: 'PG_VERSION' });
  });

  test('is no backup when a file was not read to its end', async () => {
    await expect(backUp({ store: async ({ size }) => ({ size, sha256: '' }) })).rejects.toThrow(
      /was read up to 0 of \d+ bytes/,
    );
  });
});

describe('what stands in the way', () => {
  test('a connection that ends in the middle', async () => {
    let ended = false;
    const store = async (file: BaseBackupFile) => {
      if (!ended) {
        ended = true;
        await superuser.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walsender'",
        );
      }
      return drain(file);
    };
    await expect(backUp({ store })).rejects.toMatchObject({ name: 'BackupProblem', kind: 'unavailable' });
  });

  test.each([
    [
      'no server',
      () => 'postgresql://nobody@localhost:1/x',
      /cannot be reached for a backup: .*ECONNREFUSED/,
    ],
    [
      'no right to it',
      () => server.connectionString('app'),
      /permission denied.*\(Only roles with the REPLICATION attribute/,
    ],
  ])('%s', async (_, connectionString, message) => {
    const failure = backUp({ connectionString: connectionString() });
    await expect(failure).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(message),
    });
  });

  test('a rate that the server refuses', async () => {
    await expect(backUp({ maxRateKb: 1 })).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('MAX_RATE'),
    });
  });

  test('a tablespace', async () => {
    await superuser.query('set allow_in_place_tablespaces = on');
    await superuser.query("create tablespace elsewhere location ''");
    try {
      await expect(backUp()).rejects.toMatchObject({
        kind: 'impossible',
        message: expect.stringMatching(/tablespace of its own \(\d+\.tar\).*SET TABLESPACE/),
      });
    } finally {
      await superuser.query('drop tablespace elsewhere');
    }
  });

  test('a damaged page, whose file is named', async () => {
    const path = await value("pg_relation_filepath('fact')");
    await superuser.query('checkpoint');
    const file = await open(join(server.dataDirectory, 'postgres', path), 'r+');
    try {
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 8000);
      await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 8000);
    } finally {
      await file.close();
    }
    await expect(backUp()).rejects.toMatchObject({
      kind: 'corrupt',
      object: path,
      message: expect.stringContaining('Earlier backups are not affected'),
    });
  });
});
