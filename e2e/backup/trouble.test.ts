import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { storeAddress } from '@calculaud/backup/repository/open-store';
import { alertsIn, readStatus, type ServiceStatus } from '@calculaud/backup/service/status';
import { connectEmbedded } from '@calculaud/embedded/supervisor';
import { type S3Server, startS3 } from '@calculaud/testing/s3';
import { s3Missing } from '@calculaud/testing/s3-binary';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  adminToken,
  bareEnvironment,
  full,
  newDataDirectory,
  removeDataDirectory,
  repository as checkout,
  startSystem,
  type System,
} from '../system.ts';
import { type Typed, typedWith } from './command.ts';

/** Where backups go is full, dead or closed, and the system goes on; when that is over everything is as if it had not been. */

const missing = s3Missing();
if (missing !== undefined) process.stderr.write(`${missing}\n`);

let data: string;
let system: System | undefined;
let token: string;
let s3: S3Server;
let environment: Record<string, string>;
beforeAll(async () => {
  if (missing === undefined) s3 = await startS3();
});
afterAll(async () => {
  if (missing === undefined) await s3.remove();
});
beforeEach(() => {
  data = newDataDirectory();
});
afterEach(async () => {
  await system?.stop();
  system = undefined;
  removeDataDirectory(data);
});

async function start(...repositories: readonly string[]): Promise<void> {
  environment = {
    ...environment,
    CALCULAUD_BACKUP_REPOSITORIES: repositories.join(','),
    CALCULAUD_BACKUP_S3_ACCESS_KEY_ID: s3.environment['AWS_ACCESS_KEY_ID'] ?? '',
    CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY: s3.environment['AWS_SECRET_ACCESS_KEY'] ?? '',
    ...environment,
  };
  system = await startSystem(data, environment);
  token = await adminToken(data);
}

const bucket = (prefix: string) =>
  `s3://${s3.environment['S3_BUCKET_NAME']}/${prefix}?endpoint=${s3.environment['S3_ENDPOINT_URL']}`;
const calculaud = async (...args: readonly string[]): Promise<Typed> =>
  typedWith({ CALCULAUD_DATA: data, ...environment }, ...args);
const statusOf = async () => readStatus(join(data, 'backup-work'));

async function until<T>(what: string, look: (status: ServiceStatus) => T | undefined | false): Promise<T> {
  let status: ServiceStatus | undefined;
  for (const deadline = performance.now() + 120_000; performance.now() < deadline; await wait(200)) {
    status = await statusOf();
    const found = status && look(status);
    if (found !== undefined && found !== false) return found;
  }
  throw new Error(`${what} did not come:\n${JSON.stringify(status, null, 1)}\n${system?.output()}`);
}

/** Every repository has a backup and all of the log of this moment, and there is no alert. */
async function untilWell(): Promise<void> {
  const since = new Date();
  await until('all is well', (status) => {
    // Before it has opened any there is none.
    if (status.repositories.length === 0) return false;
    const all = status.repositories.every(
      ({ trouble, base, logComplete }) =>
        trouble === null && base && logComplete !== undefined && logComplete > since,
    );
    return all && alertsIn(status, new Date()).filter(({ name }) => name !== 'space-short').length === 0;
  });
}

const alertsOf = (status: ServiceStatus) =>
  alertsIn(status, new Date()).map(({ name, repository }) => `${name} ${repository}`);

/** Every request is answered; the median of their times, in ms. */
async function work(count: number): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const begin = performance.now();
    const response = await fetch(`${system?.url}/api/v1/purposes`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ description: `trouble ${n}` }),
    });
    expect(response.status).toBe(201);
    await response.arrayBuffer();
    times.push(performance.now() - begin);
  }
  return times.toSorted((one, other) => one - other)[Math.floor(count / 2)] ?? 0;
}

async function sql(...statements: readonly string[]): Promise<void> {
  const embedded = await connectEmbedded(data);
  if (!embedded) throw new Error('no database');
  const client = new pg.Client({ connectionString: embedded.superuserConnectionString('calculaud') });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

/** Whole segments of 16 MiB, each with something in it. */
async function segments(count: number): Promise<void> {
  const one = ["select pg_logical_emit_message(true, 'test', 'x')", 'select pg_switch_wal()'];
  await sql(...Array.from({ length: count }, () => one).flat());
}

/** So much slower a request may be, on a machine that does other things, too. */
const SLOWER = 5;

describe.skipIf(missing !== undefined)('two repositories', () => {
  test('one dies for so long that its log has to go, and catches up by itself: a gap, and a new backup', async () => {
    environment = { CALCULAUD_BACKUP_SPOOL_GB: '0.1' };
    const dead = bucket('dies');
    await start(join(data, 'backups'), dead);
    await untilWell();
    const before = await work(50);
    await s3.stop();
    for (let n = 0; n < 4; n += 1) {
      await segments(3);
      await work(5);
    }
    await until('the alert', (status) => alertsOf(status).includes(`spool-full ${dead}`));
    const told = await calculaud('backup', 'status');
    expect(told.exitCode).toBe(2);
    expect(told.said).toMatch(/cannot be used: ECONNREFUSED. Is it reachable from here\?/);
    expect(told.said).toContain('CALCULAUD_BACKUP_SPOOL_GB');
    expect(alertsOf(await until('a status', (status) => status))).toEqual([`spool-full ${dead}`]);
    // The other one has everything.
    expect(await calculaud('backup', 'verify', '--from', join(data, 'backups'))).toMatchObject({
      exitCode: 0,
      said: expect.stringContaining('is what it was'),
    });
    expect(await calculaud('backup', 'list')).toMatchObject({ exitCode: 7 });
    expect(await work(50)).toBeLessThan(Math.max(before * SLOWER, 100));

    await s3.start();
    await untilWell();
    expect(system?.output()).toContain('lacks the log from');
    expect(await calculaud('backup', 'list', '--from', dead)).toMatchObject({
      exitCode: 0,
      said: expect.stringContaining('after-gap'),
    });
    expect(await calculaud('backup', 'verify')).toMatchObject({ exitCode: 0 });
    expect(await calculaud('backup', 'status')).toMatchObject({ exitCode: 0 });
  });

  test.runIf(full)(
    'the keys of one are wrong: it is said, grows old, and gets all once they are right',
    async () => {
      const closed = bucket('closed');
      environment = { CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY: 'wrong-secret-key' };
      oldStatus(closed);
      await start(join(data, 'backups'), closed);
      await until('the alert', (status) => alertsOf(status).includes(`backup-old ${closed}`));
      await until('the alert of the log', (status) => alertsOf(status).includes(`log-late ${closed}`));
      expect(await calculaud('backup', 'status')).toMatchObject({
        exitCode: 2,
        said: expect.stringContaining('the secret key is wrong. Correct the credentials'),
      });
      expect((await fetch(`${system?.managementUrl}/backup`)).status).toBe(503);
      expect(system?.output()).not.toContain('wrong-secret-key');
      await segments(2);
      await work(20);
      await until('the first repository', ({ repositories: [kept] }) => kept?.base && kept.trouble === null);

      await system?.stop();
      environment = {};
      await start(join(data, 'backups'), closed);
      await untilWell();
      expect(await calculaud('backup', 'verify')).toMatchObject({ exitCode: 0 });
    },
  );
});

/** What a service of before has told: that this repository had its last backup, and log, two days ago. */
function oldStatus(address: string): void {
  const at = new Date(Date.now() - 48 * 3_600_000).toISOString();
  const nothing = { trouble: null, lsn: null, shippedAt: null, attachedUntil: null, faults: [], corrupt: [] };
  const old = { ...nothing, address, watchedSince: at, base: at, export: at, drill: at, logComplete: at };
  const service = { format: 2, at, startedAt: at, receiving: false, systemId: null, receivedLsn: null };
  mkdirSync(join(data, 'backup-work'), { recursive: true });
  writeFileSync(
    join(data, 'backup-work', 'status.json'),
    JSON.stringify({
      ...service,
      serverLsn: null,
      trouble: null,
      kitWaiting: false,
      tasks: [],
      repositories: [{ ...old, gapsSinceBase: 0 }],
    }),
  );
}

describe.skipIf(missing !== undefined)('the only repository', () => {
  test.runIf(full)(
    'is dead from the start: nothing of the log is removed, then nothing more is received, and all of it arrives later',
    async () => {
      environment = { CALCULAUD_BACKUP_SPOOL_GB: '0.1' };
      const only = bucket('late');
      await s3.stop();
      await start(only);
      await work(5);
      await segments(10);
      const trouble = await until('the end of room', (status) => status.trouble ?? undefined);
      expect(trouble).toContain('CALCULAUD_BACKUP_SPOOL_GB');
      await until('the alert', (status) => alertsOf(status).includes(`spool-full ${only}`));
      await work(20);
      await s3.start();
      await untilWell();
      expect(system?.output()).not.toContain('lacks the log');
      expect(await calculaud('backup', 'verify')).toMatchObject({ exitCode: 0 });
      const { said } = await calculaud('backup', 'list', '--json');
      expect(said.match(/"event":"backup"/g)).toHaveLength(1);
    },
  );
});

describe('a full disk', () => {
  const root = process.getuid?.() === 0;
  let mounted: string | undefined;
  afterEach(() => {
    if (mounted !== undefined) execFileSync('umount', ['-l', mounted]);
    mounted = undefined;
  });

  function smallDisk(megabytes: number): string {
    const folder = mkdtempSync(join(tmpdir(), 'calculaud-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'none', folder]);
    mounted = folder;
    return folder;
  }

  function mountable(): boolean {
    if (!root) return false;
    try {
      const folder = smallDisk(1);
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true });
      mounted = undefined;
      return true;
    } catch {
      return false;
    }
  }
  const can = mountable() && missing === undefined;
  if (!can) process.stderr.write('The tests of a full disk need root, who can mount a small one: skipped.\n');

  test.runIf(can && full)(
    'is named, alarms, disturbs nobody, and is filled up when there is room again',
    async () => {
      environment = {};
      const disk = smallDisk(64);
      const small = join(disk, 'repository');
      await start(join(data, 'backups'), small);
      await untilWell();
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(join(disk, 'somebody-else'), Buffer.alloc(bavail * bsize - 4096 * 4));
      await work(50);
      await segments(2);
      await until('the words', (status) =>
        status.repositories.some(({ trouble }) => trouble?.includes('is full')),
      );
      expect(await calculaud('backup', 'status')).toMatchObject({
        exitCode: 2,
        said: expect.stringMatching(
          /The disk of the repository file:\/\/.*repository is full. Make room, or add another/,
        ),
      });
      expect(alertsOf(await until('a status', (status) => status))).toContain(
        `space-short ${storeAddress(small)}`,
      );
      const made = await calculaud('backup', 'create');
      expect(made).toMatchObject({ exitCode: 7, said: expect.stringContaining('is full') });
      expect(
        await calculaud('restore', '--to', 'latest', '--into', join(disk, 'into'), '--yes'),
      ).toMatchObject({
        exitCode: 3,
        said: expect.stringContaining('full'),
      });
      rmSync(join(disk, 'somebody-else'));
      await untilWell();
      expect(await calculaud('backup', 'verify')).toMatchObject({ exitCode: 0 });
    },
  );
});

describe('the server', () => {
  test.runIf(full)(
    'had to forget its log: it is told, and a new backup is made without anybody',
    async () => {
      environment = {};
      await start(join(data, 'backups'));
      await untilWell();
      const service = childOf(system?.process.pid, 'backup.js');
      process.kill(service, 'SIGSTOP');
      // As the server does when it would have to keep too much.
      await sql(
        'select pg_terminate_backend(active_pid, 10000) from pg_replication_slots where active',
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots',
      );
      await segments(8);
      await sql('checkpoint');
      await work(10);
      process.kill(service, 'SIGCONT');
      await until('the words', () => system?.output().includes('is lost to backups'));
      await untilWell();
      expect(await calculaud('backup', 'list')).toMatchObject({ said: expect.stringContaining('after-gap') });
      expect(await calculaud('backup', 'verify')).toMatchObject({ exitCode: 0 });
      expect(await calculaud('backup', 'status')).toMatchObject({ exitCode: 0 });
    },
  );

  test('has a second backup service by mistake: that one is told so, backs nothing up, and disturbs nothing', async () => {
    environment = {};
    await start(join(data, 'backups'));
    await untilWell();
    const other = newDataDirectory();
    const embedded = await connectEmbedded(data);
    const second = spawn('sh', ['scripts/run.sh', 'backup'], {
      cwd: checkout,
      env: {
        ...bareEnvironment(),
        CALCULAUD_DATA: other,
        CALCULAUD_BACKUP: 'on',
        CALCULAUD_BACKUP_DATABASE_URL: embedded?.connectionString('backup'),
        MANAGEMENT_PORT: '0',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    second.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    try {
      for (
        const end = performance.now() + 60_000;
        !said.includes('Somebody else receives');
        await wait(100)
      ) {
        if (performance.now() > end) throw new Error(`nothing was said:\n${said}`);
      }
      expect(said).toContain('One backup service per server');
      await segments(2);
      await work(10);
      await untilWell();
      expect(await typedWith({ CALCULAUD_DATA: other }, 'backup', 'list')).toMatchObject({
        exitCode: 0,
        said: expect.stringContaining('none yet'),
      });
      expect(await typedWith({ CALCULAUD_DATA: other }, 'backup', 'status')).toMatchObject({
        said: expect.stringContaining('Somebody else receives'),
      });
      expect(system?.output()).not.toContain('is not received');
    } finally {
      second.kill('SIGTERM');
      await once(second, 'exit');
      removeDataDirectory(other);
    }
  });
});

function childOf(pid: number | undefined, program: string): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  const found = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(program));
  if (found === undefined) throw new Error(`no ${program}`);
  return found;
}
