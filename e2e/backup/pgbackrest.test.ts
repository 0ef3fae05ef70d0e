import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BackupSummary, CreatingEngine } from '@calculaud/backup/engine/backup-engine';
import { pgBackRestEngine } from '@calculaud/backup/engine/pgbackrest/engine';
import {
  archiveCommand,
  configurationOf,
  type PgBackRestSettings,
} from '@calculaud/backup/engine/pgbackrest/settings';
import { parseTarget } from '@calculaud/backup/engine/target';
import { bareEnvironment, repository } from '../system.ts';
import { asServer, type DebianPostgres, initialize, makeFolder, startServer } from './debian-postgres.ts';

/** The adapter for pgBackRest, on the real program and a server of the distribution. */

const { signal } = new AbortController();
let folder: string;
let settings: PgBackRestSettings;
let server: DebianPostgres;
let engine: CreatingEngine;
let client: pg.Client;

async function connect(connectionString: string): Promise<pg.Client> {
  const connected = new pg.Client({ connectionString });
  connected.on('error', () => undefined);
  await connected.connect();
  return connected;
}

beforeAll(async () => {
  folder = makeFolder(await mkdtemp(join(tmpdir(), 'calculaud-pgbackrest-')), 0o711);
  settings = {
    repository: join(folder, 'repository'),
    passphrase: 'a passphrase: # with = signs',
    s3: undefined,
    folder: join(folder, 'work'),
    processes: 1,
  };
  await initialize(join(folder, 'cluster'));
  server = await startServer(join(folder, 'cluster'), join(folder, 'socket'), {
    archive_mode: 'on',
    archive_command: archiveCommand(settings),
  });
  engine = pgBackRestEngine(settings, server.connectionString);
  client = await connect(server.connectionString);
  await client.query(
    'create table fact (id int primary key, at timestamptz not null default clock_timestamp())',
  );
}, 60_000);
afterAll(async () => {
  await client.end();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

async function add(id: number): Promise<void> {
  await client.query('insert into fact (id) values ($1)', [id]);
}

async function archived(): Promise<void> {
  const { rows } = await client.query<{ segment: string }>(
    'select pg_walfile_name(pg_switch_wal()) as segment',
  );
  const segment = rows[0]?.segment ?? '';
  await vi.waitUntil(
    async () => {
      const found = await client.query<{ last: string | null }>(
        'select last_archived_wal as last from pg_stat_archiver',
      );
      return (found.rows[0]?.last ?? '') >= segment;
    },
    { timeout: 30_000, interval: 50 },
  );
}

let restores = 0;
async function facts(from: CreatingEngine, target: string): Promise<number[]> {
  restores += 1;
  const restored = await from.restore({
    target: parseTarget(target),
    directory: join(folder, `restored-${restores}`),
    signal,
  });
  try {
    const found = await connect(restored.connectionString('postgres'));
    const { rows } = await found.query<{ id: number }>('select id from fact order by id');
    await found.end();
    return rows.map(({ id }) => id);
  } finally {
    await restored.stop();
  }
}

async function summaries(of: CreatingEngine): Promise<BackupSummary[]> {
  return (await of.list()).flatMap((one) => ('unreadable' in one ? [] : [one]));
}

/** A copy of the repository, in which somebody does something. */
let copies = 0;
async function copy(changes: Partial<PgBackRestSettings> = {}) {
  copies += 1;
  const path = join(folder, `copy-${copies}`);
  await asServer('cp', ['-a', settings.repository, path]);
  const own = { ...settings, repository: path, folder: join(folder, `work-${copies}`), ...changes };
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return {
    engine: pgBackRestEngine(own, undefined),
    file: (part: RegExp) => files.toSorted().find((name) => part.test(name)) ?? '',
  };
}

async function flip(path: string): Promise<void> {
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

async function calculaud(environment: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const child = spawn(join(repository, 'apps/cli/bin/calculaud'), args, {
    cwd: repository,
    env: { ...bareEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, said: `${stdout}${stderr}` };
}

describe('before there is anything', () => {
  test('a missing repository is told, and not taken for an empty one', async () => {
    await expect(engine.list()).rejects.toMatchObject({
      kind: 'missing',
      message: expect.stringContaining(settings.repository),
    });
    await expect(facts(engine, 'latest')).rejects.toMatchObject({ kind: 'missing' });
  });
});

describe('without the program', () => {
  test('it is said, and what to do', async () => {
    const missing = pgBackRestEngine(
      { ...settings, program: '/nowhere/pgbackrest' },
      server.connectionString,
    );
    await expect(missing.list()).rejects.toMatchObject({
      kind: 'impossible',
      message: expect.stringMatching(/not installed.*Install the package pgbackrest/),
    });
  });
});

describe('a backup by pgBackRest', () => {
  let full: BackupSummary;
  let between: Date;
  beforeAll(async () => {
    await add(1);
    full = await engine.create({ full: true, signal });
    await add(2);
    // Its times have whole seconds.
    await new Promise((resolve) => {
      setTimeout(resolve, 1100);
    });
    between = new Date();
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
    await add(3);
    await archived();
  }, 60_000);

  test('is listed with its place in the log, and its keys are in a file for the server alone', async () => {
    const { rows } = await client.query<{ id: string }>(
      'select system_identifier::text as id from pg_control_system()',
    );
    expect(await summaries(engine)).toEqual([full]);
    expect(full).toMatchObject({ kind: 'full', systemId: rows[0]?.id, timeline: 1 });
    expect(full.bytes.total).toBeGreaterThan(full.bytes.stored);
    for (const file of Object.values(configurationOf(settings))) {
      const { mode } = await stat(file);
      expect(mode & 0o777).toBe(0o600);
    }
  });

  test('is restored to the latest moment, to a moment between two commits, and to itself', async () => {
    expect(await facts(engine, 'latest')).toEqual([1, 2, 3]);
    expect(await facts(engine, between.toISOString())).toEqual([1, 2]);
    expect(await facts(engine, full.id)).toEqual([1]);
  }, 60_000);

  test('is restored to a position and to a named point; the copy archives nothing', async () => {
    const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn');
    await client.query("select pg_create_restore_point('before-the-sale')");
    await add(4);
    await archived();
    expect(await facts(engine, rows[0]?.lsn ?? '')).toEqual([1, 2, 3]);
    expect(await facts(engine, 'point:before-the-sale')).toEqual([1, 2, 3]);
    const left = await readFile(
      join(folder, `restored-${restores}`, 'postgres', 'postgresql.auto.conf'),
      'utf8',
    );
    expect(left).toMatch(/archive_mode = 'off'/);
    expect(left).not.toMatch(/recovery_target|restore_command/);
  }, 60_000);

  test('of what has changed is small, and brings everything back', async () => {
    const diff = await engine.create({ full: false, signal });
    expect(diff).toMatchObject({ kind: 'diff', id: expect.stringContaining(`${full.id}_`) });
    expect(diff.bytes.stored).toBeLessThan(full.bytes.stored / 4);
    expect(await facts(engine, diff.id)).toEqual([1, 2, 3, 4]);
    const verification = await engine.verify(diff, { signal });
    expect(verification.faults).toEqual([]);
    expect(verification.files).toBeGreaterThan(900);
    expect(verification.segments).toBeGreaterThan(2);
  }, 60_000);

  test('does not reach a time that nobody has lived, or one before it', async () => {
    await expect(facts(engine, '2099-01-01T00:00:00Z')).rejects.toMatchObject({
      kind: 'impossible',
      message: expect.stringContaining('is not in the log that was archived'),
    });
    await expect(facts(engine, '2001-01-01T00:00:00Z')).rejects.toMatchObject({
      kind: 'impossible',
      message: expect.stringContaining('No backup reaches back'),
    });
    expect(await readdir(folder)).not.toContain(`restored-${restores}`);
  }, 60_000);

  test('with a missing file is found out by a verification, also of what was made after it', async () => {
    const made = await copy();
    await rm(made.file(/F\/pg_data\/base\/\d+\/1259\.zst$/));
    for (const backup of await summaries(made.engine)) {
      const { faults } = await made.engine.verify(backup, { signal });
      expect(faults).toMatchObject([{ object: expect.stringContaining('base/'), words: 'is missing' }]);
    }
  }, 60_000);

  test('with a flipped byte in a file is found out by a verification, and not restored', async () => {
    const made = await copy();
    await flip(made.file(/F\/pg_data\/base\/\d+\/1259\.zst$/));
    const { faults } = await made.engine.verify(full, { signal });
    expect(faults).toMatchObject([{ object: expect.stringContaining('base/') }]);
    // It tries three times, and waits 15 seconds before the last.
    await expect(facts(made.engine, full.id)).rejects.toMatchObject({ kind: 'corrupt' });
  }, 120_000);

  test('with a damaged manifest is found out', async () => {
    const made = await copy();
    for (const name of ['backup.manifest', 'backup.manifest.copy'])
      await flip(made.file(new RegExp(`${full.id}/${name}$`)));
    const { faults } = await made.engine.verify(full, { signal });
    expect(faults).toMatchObject([{ object: full.id, words: expect.stringContaining('manifest') }]);
    await expect(facts(made.engine, full.id)).rejects.toMatchObject({
      message: expect.stringContaining('manifest'),
    });
  }, 60_000);

  test('with a hole in its log is found out, which pgBackRest itself does not do', async () => {
    const made = await copy();
    const middle = made.file(/000000010000000000000003-/);
    await rm(middle);
    const { faults } = await made.engine.verify(full, { signal });
    expect(faults).toMatchObject([
      { object: '000000010000000000000003', words: expect.stringContaining('hole') },
    ]);
    await expect(facts(made.engine, between.toISOString())).rejects.toMatchObject({
      kind: 'missing',
      object: '000000010000000000000003',
    });
  }, 60_000);

  test('whose last log is damaged is not restored to less than there was', async () => {
    const made = await copy();
    const names = (await readdir(join(folder, `copy-${copies}`), { recursive: true })).filter((name) =>
      /\/[0-9A-F]{24}-[0-9a-f]{40}/.test(name),
    );
    const last = names.toSorted().at(-1) ?? '';
    await flip(join(folder, `copy-${copies}`, last));
    await expect(facts(made.engine, 'latest')).rejects.toMatchObject({ name: 'BackupProblem' });
  }, 60_000);

  test('is not opened by another passphrase', async () => {
    const made = await copy({ passphrase: 'another one' });
    await expect(made.engine.list()).rejects.toMatchObject({ kind: 'wrong-key' });
    await expect(made.engine.verify(full, { signal })).rejects.toMatchObject({ kind: 'wrong-key' });
    await expect(facts(made.engine, 'latest')).rejects.toMatchObject({ kind: 'wrong-key' });
  });

  test('is listed, verified and restored by the commands', async () => {
    const environment = {
      CALCULAUD_DATA: join(folder, 'data'),
      CALCULAUD_BACKUP_ENGINE: 'pgbackrest',
      CALCULAUD_BACKUP_REPOSITORIES: settings.repository,
      CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE: settings.passphrase,
      DATABASE_URL: server.connectionString,
    };
    const typed = async (...args: readonly string[]) => calculaud(environment, ...args);
    expect(await typed('backup', 'list')).toMatchObject({ code: 0, said: expect.stringContaining(full.id) });
    expect(await typed('backup', 'show', full.id)).toMatchObject({
      code: 0,
      said: expect.stringContaining(full.systemId),
    });
    expect(await typed('backup', 'verify', full.id)).toMatchObject({
      code: 0,
      said: expect.stringContaining('is what it was'),
    });
    expect(await typed('backup', 'create')).toMatchObject({
      code: 3,
      said: expect.stringContaining('archive_command'),
    });
    const to = ['restore', '--yes', '--to', full.id];
    expect(await typed(...to)).toMatchObject({ code: 3, said: expect.stringContaining('--into') });
    const into = join(folder, 'by-command');
    expect(await typed(...to, '--into', into)).toMatchObject({
      code: 0,
      said: expect.stringContaining('recovery stopping after reaching consistency'),
    });
    const copied = await startServer(join(into, 'postgres'), join(folder, 'by-command-socket'));
    const found = await connect(copied.connectionString);
    expect((await found.query('select count(*)::int as facts from fact')).rows).toEqual([{ facts: 1 }]);
    expect((await found.query('show archive_mode')).rows).toEqual([{ archive_mode: 'off' }]);
    await found.end();
    await copied.stop();
  }, 60_000);

  test('is not made of a server that archives elsewhere, and the line to set is told', async () => {
    const elsewhere = { ...settings, folder: join(folder, 'elsewhere') };
    await expect(
      pgBackRestEngine(elsewhere, server.connectionString).create({ full: true, signal }),
    ).rejects.toMatchObject({
      kind: 'impossible',
      message: expect.stringContaining(archiveCommand(elsewhere)),
    });
  });
});
