import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encode } from '@calculaud/backup/repository/encoding';
import { readKeyRing } from '@calculaud/backup/repository/keyring';
import { type OpenedRepository, openRepository } from '@calculaud/backup/repository/open-repository';
import { openStore } from '@calculaud/backup/repository/open-store';
import { prunable } from '@calculaud/backup/retention/prunable';
import { readStatus } from '@calculaud/backup/service/status';
import { connectEmbedded, startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  adminToken,
  full,
  newDataDirectory,
  removeDataDirectory,
  startSystem,
  type System,
} from '../system.ts';
import { type Typed, typedWith } from './command.ts';
import { type KillStep, killStep } from './kill-step.ts';

/** Who is killed at a step leaves nothing half: the next run or command goes on as if it were the first. */

let data: string;
let system: System;
let token: string;
beforeAll(() => {
  data = newDataDirectory();
});
afterAll(async () => {
  await system.stop();
  removeDataDirectory(data);
});

const plan = () => join(data, 'killed-at.json');
const hooked = () => ({
  NODE_OPTIONS: `--import tsx --import ${fileURLToPath(new URL('killed-at.ts', import.meta.url))}`,
  TEST_KILLED_AT: plan(),
});

function killAt(program: KillStep['program'], ...steps: readonly Omit<KillStep, 'program'>[]): void {
  writeFileSync(plan(), JSON.stringify(steps.map((step) => ({ program, ...step }))));
}

const left = (): number => z.array(killStep).parse(JSON.parse(readFileSync(plan(), 'utf8'))).length;
const at = (when: KillStep['when'], path: string, count = 1) => ({ when, path, count });

async function calculaud(...args: readonly string[]): Promise<Typed> {
  return typedWith({ CALCULAUD_DATA: data }, ...args);
}

/** Of what is typed, and killed on its way. */
async function killed(...args: readonly string[]): Promise<Typed> {
  const typed = await typedWith({ CALCULAUD_DATA: data, ...hooked() }, ...args);
  expect([args, left(), typed]).toMatchObject([args, 0, { exitCode: null }]);
  return typed;
}

async function well(...args: readonly string[]): Promise<Typed> {
  const typed = await calculaud(...args);
  expect([args, typed]).toMatchObject([args, { exitCode: 0 }]);
  return typed;
}

const listed = async () =>
  (await well('backup', 'list', '--json')).said.match(/"id":"\d{8}T\d{6}Z-[0-9a-f]{8}"/g) ?? [];

async function opened(): Promise<OpenedRepository> {
  const keyring = await readKeyRing(join(data, 'backup.keys'));
  if (!keyring) throw new Error('no keys');
  return openRepository(await openStore(join(data, 'backups')), keyring);
}

async function until(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = performance.now() + 120_000; performance.now() < deadline; await wait(100)) {
    if (await look()) return;
  }
  throw new Error(`${what} did not come:\n${system.output()}`);
}

async function enter(description: string): Promise<void> {
  const response = await fetch(`${system.url}/api/v1/purposes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ description }),
  });
  expect(response.status).toBe(201);
}

/** All that the server has written is in the repository. */
async function caughtUp(): Promise<void> {
  const since = new Date();
  await until('the log', async () => {
    const status = await readStatus(join(data, 'backup-work'));
    const complete = status?.repositories[0]?.logComplete;
    return complete !== undefined && complete > since;
  });
}

const some = <T>(all: readonly T[], few: readonly number[]): readonly T[] =>
  full ? all : few.flatMap((index) => all[index] ?? []);

describe('the service', () => {
  test('is killed at each step of its first start: the kit of the last try opens the repository', async () => {
    const steps = [
      at('after', 'recovery-kit.txt$'),
      at('before', '/backup.keys$'),
      at('after', '/backup.keys$'),
      at('before', '/format.json$'),
      at('after', '/format.json$'),
      at('after', 'known-repositories.json$'),
      at('after', '/keys/.*recipients$'),
      at('after', '/keys/.*age$'),
    ];
    killAt('backup', ...some(steps, [6]));
    system = await startSystem(data, hooked());
    token = await adminToken(data);
    await until('all steps', () => left() === 0);
    await until('a backup', async () => {
      return (await readStatus(join(data, 'backup-work')))?.repositories[0]?.base !== undefined;
    });
    const kit = join(data, 'recovery-kit.txt');
    await well('backup', 'list', '--kit', kit);
    await well('backup', 'verify', '--kit', kit);
  });

  test('is killed as it ships the log: it is started again, and nothing is missing', async () => {
    const steps = [
      at('before', '/wal/.*\\.partial$'),
      at('after', '/wal/.*\\.partial$'),
      at('before', '/backups/systems/.*/wal/[0-9A-F]{8}/[0-9A-F]{24}$'),
      at('after', '/backups/systems/.*/wal/[0-9A-F]{8}/[0-9A-F]{24}$'),
      at('before', '/backup-work/wal/.*/[0-9A-F]{24}$'),
      at('after', '/backup-work/wal/.*/[0-9A-F]{24}$'),
      at('after', '/backup-work/wal/.*/received.json$'),
    ];
    for (const each of some(steps, [2])) {
      killAt('backup', each);
      await enter(`shipping ${each.when} ${each.path}`);
      await switchSegment();
      await until('the kill', () => left() === 0);
    }
    await caughtUp();
    await well('backup', 'verify');
  });
});

async function switchSegment(): Promise<void> {
  const embedded = await connectEmbedded(data);
  if (!embedded) throw new Error('no database');
  const client = new pg.Client({ connectionString: embedded.superuserConnectionString('calculaud') });
  await client.connect();
  await client.query('select pg_switch_wal()');
  await client.end();
}

describe('a command', () => {
  test('backup create is killed: what it made is a whole backup or none, and the next one is made at once', async () => {
    const steps = [
      at('after', '/leases/backup/'),
      at('before', '/backups/chunks/'),
      at('after', '/backups/chunks/', 3),
      at('before', '/backups/backups/'),
      at('after', '/backups/backups/'),
    ];
    for (const each of some(steps, [3])) {
      await enter(`create ${each.when} ${each.path}`);
      const before = await listed();
      killAt('main', each);
      await killed('backup', 'create');
      const made = each.path === '/backups/backups/' && each.when === 'after' ? 1 : 0;
      expect(await listed()).toHaveLength(before.length + made);
    }
    await well('backup', 'create');
    await well('backup', 'verify');
  });

  test.runIf(full)(
    'backup prune is killed: every backup stays whole, and the next one removes the rest',
    async () => {
      const steps = [
        at('after', '/tombstones/'),
        at('before', '/backups/chunks/'),
        at('after', '/backups/chunks/', 20),
        at('before', '/tombstones/'),
        at('before', '/leases/prune/'),
      ];
      for (const each of steps) {
        const keys = await needless(40);
        killAt('main', each);
        await killed('backup', 'prune', '--yes');
        await well('backup', 'prune', '--yes');
        const { store } = await opened();
        for (const key of keys) expect(await store.get(key)).toBeUndefined();
      }
      await well('backup', 'verify');
    },
  );

  test.runIf(full)(
    'recovery-kit renew is killed: repeated, it makes a kit that opens the repository',
    async () => {
      const steps = [
        at('after', '/recovery-kit.txt$'),
        at('after', '/keys/.*recipients$'),
        at('after', '/keys/.*age$'),
        at('before', '/backup.keys$'),
        at('after', '/backup.keys$'),
        at('after', '/keys/.*recipients$', 2),
      ];
      for (const each of steps) {
        killAt('main', each);
        await killed('recovery-kit', 'renew', '--yes');
        await well('recovery-kit', 'renew', '--yes');
        await well('backup', 'list', '--kit', join(data, 'recovery-kit.txt'));
      }
    },
  );

  test('restore is killed: there is the database of before or the restored one, and never none', async () => {
    await enter('the last one before all restores');
    await caughtUp();
    await system.stop();
    const before = await purposes();
    const steps = [
      at('after', '/pg_wal/[0-9A-F]{24}$'),
      at('after', '/recovery.signal$'),
      // The server of the recovery is left to itself.
      at('before', 'before-recovery$', 2),
      at('before', '/postgres.replacing.json$'),
      at('before', '/postgres.before-'),
      at('after', '/postgres.before-'),
      at('after', '/postgres$'),
      at('before', '/restoring-[^/]*$', 2),
    ];
    for (const each of some(steps, [5])) {
      killAt('main', each);
      await killed('restore', '--to', 'latest', '--yes');
      // As the next start does it.
      expect([each, await purposes()]).toEqual([each, before]);
    }
    await well('restore', '--to', 'latest', '--yes');
    expect(await purposes()).toEqual(before);
    expect(readdirSync(data).filter((name) => name.startsWith('restoring-'))).toEqual([]);
    expect(existsSync(join(data, 'postgres.replacing.json'))).toBe(false);
    system = await startSystem(data);
    await caughtUp();
    await well('backup', 'status');
  });
});

/** Chunks that nobody needs and that have waited for four days. */
async function needless(count: number): Promise<readonly string[]> {
  const repository = prunable(await opened());
  const { keyring, store } = await opened();
  const keys: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const name = `${(n + 16).toString(16)}${'0'.repeat(60)}${Date.now().toString(16).slice(-2)}`;
    const key = `chunks/${name.slice(0, 2)}/${name}`;
    await store.put(key, await encode(keyring, key, Buffer.from(`${n}`)));
    keys.push(key);
  }
  const markedAt = new Date(Date.now() - 4 * 86_400_000).toISOString();
  await repository.putTombstone({ format: 1, name: '20261101T000000Z-01234567', markedAt, who: 'x', keys });
  return keys;
}

async function purposes(): Promise<readonly string[]> {
  const server = await startEmbeddedPostgres({ dataDirectory: data });
  const client = new pg.Client({ connectionString: server.superuserConnectionString('calculaud') });
  await client.connect();
  const { rows } = await client.query<{ description: string }>('select description from purpose order by id');
  await client.end();
  await server.stop();
  return rows.map(({ description }) => description);
}
