import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createBackup } from '@calculaud/backup/engine/create';
import { pgBackRestEngine } from '@calculaud/backup/engine/pgbackrest/engine';
import {
  archiveCommand,
  configurationOf,
  type PgBackRestSettings,
} from '@calculaud/backup/engine/pgbackrest/settings';
import { restoreCluster } from '@calculaud/backup/engine/restore';
import { startShipping } from '@calculaud/backup/engine/ship';
import { parseLsn } from '@calculaud/backup/postgres/lsn';
import { connectForReplication, dropSlot } from '@calculaud/backup/postgres/replication';
import { startWalReceiver } from '@calculaud/backup/postgres/wal-receiver';
import { openFolderStore } from '@calculaud/backup/repository/folder-store';
import { newKeyRing, readKeyRing } from '@calculaud/backup/repository/keyring';
import { createRepository, openRepository } from '@calculaud/backup/repository/open-repository';
import { connectEmbedded } from '@calculaud/embedded/supervisor';
import {
  calculaud,
  full,
  newDataDirectory,
  removeDataDirectory,
  repository as checkout,
  startSystem,
} from '../system.ts';
import {
  asServer,
  type DebianPostgres,
  initialize,
  makeFolder,
  program,
  startServer,
} from './debian-postgres.ts';
import { bootstrapped, inWords, median } from './measurement.ts';
import { fillWithOrders } from './procurement-rows.ts';

/**
 * Our backups beside PostgreSQL's own programs and pgBackRest, on the same rows, in one run. Other programs share the machine:
 * what counts are ratios of medians of runs that take turns. The short form looks only at what comes out.
 */

const MEGABYTES = full ? 500 : 60;
const ROUNDS = full ? 5 : 1;
const { signal } = new AbortController();
const run = promisify(execFile);

let folder: string;
let server: DebianPostgres;

beforeAll(async () => {
  folder = makeFolder(await mkdtemp(join(tmpdir(), 'calculaud-comparison-')), 0o711);
  await initialize(join(folder, 'cluster'));
  server = await startServer(join(folder, 'cluster'), join(folder, 'socket'));
  await fill(server.connectionString);
}, 300_000);
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

async function fill(connectionString: string): Promise<void> {
  await withClient(connectionString, async (client) => fillWithOrders(client, MEGABYTES));
}

async function withClient<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The same for the same rows, wherever they are. */
async function fingerprint(connectionString: string): Promise<unknown> {
  return withClient(connectionString, async (client) => {
    const { rows } = await client.query(`
      select (select count(*) from order_line)::int as lines,
        (select sum(hashtextextended(o::text, 0)) from purchase_order o)::text as orders,
        (select sum(hashtextextended(t::text, 0)) from trail t)::text as trail,
        (select sum(hashtextextended(p.content::text, 0)) from picture p)::text as pictures`);
    const found: unknown = rows[0];
    return found;
  });
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly seconds: number; readonly result: T }> {
  const begin = performance.now();
  const result = await work();
  return { seconds: (performance.now() - begin) / 1000, result };
}

function report(what: string, values: Readonly<Record<string, readonly number[]>>, more = ''): void {
  const rows = Object.entries(values).map(
    ([name, numbers]) =>
      `  ${name}: ${median(numbers).toFixed(2)} (${numbers.map((each) => each.toFixed(2)).join(', ')})`,
  );
  const [load = 0] = loadavg();
  console.log(
    [`${what}; load ${load.toFixed(1)}`, ...rows, ...(more === '' ? [] : [`  ${more}`])].join('\n'),
  );
}

/** A backup as the service makes one: the log comes by the receiver. */
async function backUp(connectionString: string, repositoryFolder: string, keys = newKeyRing()) {
  const repository = await createRepository(await openFolderStore(repositoryFolder), keys);
  const spool = await mkdtemp(join(folder, 'spool-'));
  const shipping = startShipping({
    spool,
    repositories: [repository],
    limitBytes: 4e9,
    onEvent: () => undefined,
  });
  const receiver = startWalReceiver({
    connectionString,
    slot: 'comparison',
    spool,
    onEvent: () => shipping.wake(),
  });
  try {
    await vi.waitUntil(() => receiver.position().connected, { timeout: 20_000 });
    const { seconds, result } = await timed(async () =>
      createBackup({
        repository,
        connectionString,
        reason: 'requested',
        appVersion: '0.0.0',
        waitForWal: async (systemId, lsn) => shipping.waitFor(repository.address, systemId, lsn, signal),
        signal,
      }),
    );
    return { seconds, manifest: result, keys };
  } finally {
    await receiver.stop();
    await shipping.stop();
    await rm(spool, { recursive: true, force: true });
    await withoutSlot(connectionString);
  }
}

async function withoutSlot(connectionString: string): Promise<void> {
  const client = await connectForReplication(connectionString);
  // The server may not have noticed yet that nobody receives any more.
  await vi.waitUntil(
    async () =>
      dropSlot(client, 'comparison').then(
        () => true,
        () => false,
      ),
    { timeout: 20_000 },
  );
  await client.end();
}

async function bytesIn(path: string): Promise<number> {
  const { stdout } = await run('du', ['--bytes', '--summarize', path]);
  return Number.parseInt(stdout, 10);
}

/** Checks of pages are on in the server, and every one syncs what it wrote. */
async function pgBaseBackup(...options: readonly string[]): Promise<number> {
  const target = join(folder, 'pg_basebackup');
  const { seconds } = await timed(async () =>
    asServer(program('pg_basebackup'), [
      `--host=${server.socketDirectory}`,
      '--username=postgres',
      `--pgdata=${target}`,
      '--checkpoint=fast',
      ...options,
    ]),
  );
  await rm(target, { recursive: true });
  return seconds;
}

describe('a base backup', () => {
  test('takes no more than 1.5 times as long as one of pg_basebackup that compresses, too; an unchanged one little', async () => {
    const seconds: Record<'plain' | 'tar' | 'gzip' | 'first' | 'again', number[]> = {
      plain: [],
      tar: [],
      gzip: [],
      first: [],
      again: [],
    };
    const added: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const place = join(folder, `repository-${round}`);
      seconds.plain.push(await pgBaseBackup());
      const first = await backUp(server.connectionString, place);
      seconds.first.push(first.seconds);
      seconds.gzip.push(
        await pgBaseBackup('--format=tar', '--compress=client-gzip:1', '--manifest-checksums=SHA256'),
      );
      const before = await bytesIn(place);
      const again = await backUp(server.connectionString, place, first.keys);
      seconds.again.push(again.seconds);
      added.push((await bytesIn(place)) - before);
      seconds.tar.push(await pgBaseBackup('--format=tar'));
      expect(again.manifest.bytes.total).toBeGreaterThan(MEGABYTES * 0.8 * 1024 * 1024);
      expect(again.manifest.bytes.new).toBeLessThan(5_000_000);
      await rm(place, { recursive: true });
    }
    const ratio = (of: readonly number[], to: readonly number[]) => (median(of) / median(to)).toFixed(2);
    const { plain, tar, gzip, first, again } = seconds;
    report(
      `base backup of ${MEGABYTES} MB, seconds`,
      seconds,
      `first/gzip ${ratio(first, gzip)}, first/plain ${ratio(first, plain)}, first/tar ${ratio(first, tar)}; ` +
        `again/plain ${ratio(again, plain)}, again/tar ${ratio(again, tar)}; ` +
        `added by the second one ${added.map((bytes) => (bytes / 1e6).toFixed(2)).join(', ')} MB`,
    );
    expect(Math.max(...added)).toBeLessThan(5_000_000);
    if (!full) return;
    expect(median(first)).toBeLessThan(1.5 * median(gzip));
    expect(median(again)).toBeLessThan(3);
  }, 900_000);
});

describe('the log, received while the server writes', () => {
  const PAIRS = full ? 8 : 1;
  const SECONDS = full ? 4 : 2;
  /** 16 KB a transaction, 1,250 of them a second. */
  const WRITES = String.raw`\set n random(1, 1000000000)
insert into load (content) values (repeat(md5(:n::text), 500));
`;

  interface Outcome {
    readonly transactions: number;
    readonly wal: number;
    readonly cpu: number;
    readonly seconds: number;
  }

  beforeAll(async () => {
    await withClient(server.connectionString, async (client) => {
      await client.query('create table load (content text not null)');
      await client.query('alter table load alter content set storage external');
    });
    await asServer(program('pgbench'), [
      `--host=${server.socketDirectory}`,
      '-U',
      'postgres',
      '-q',
      '-i',
      '-s',
      '5',
      'postgres',
    ]);
    const script = join(makeFolder(join(folder, 'scripts'), 0o711), 'writes.sql');
    await asServer('/bin/sh', ['-c', `printf '%s' "$1" > "$2"`, 'sh', WRITES, script]);
  }, 60_000);

  const pgbench = async (options: readonly string[]): Promise<Outcome> => {
    await withClient(server.connectionString, async (client) => {
      await client.query('truncate load');
      await client.query('checkpoint');
    });
    const [startLsn, startCpu] = [await position(), cpuOfServer()];
    const { seconds, result } = await timed(async () =>
      asServer(program('pgbench'), [
        `--host=${server.socketDirectory}`,
        '--username=postgres',
        '--no-vacuum',
        '--client=4',
        `--time=${SECONDS}`,
        ...options,
        'postgres',
      ]),
    );
    const transactions = Number(/number of transactions actually processed: (\d+)/.exec(result)?.[1]);
    return {
      transactions,
      seconds,
      wal: Number((await position()) - startLsn),
      cpu: cpuOfServer() - startCpu,
    };
  };

  const position = async (): Promise<bigint> =>
    withClient(server.connectionString, async (client) => {
      const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
      return parseLsn(rows[0]?.lsn ?? '');
    });

  /** Seconds of a processor that the server and all of its children took, those that have ended included. */
  const cpuOfServer = (): number => {
    const ticks = (pid: string, ended: boolean) => {
      try {
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
        const sum = (...at: readonly number[]) => at.reduce((all, index) => all + Number(fields[index]), 0);
        return { parent: fields[1], ticks: ended ? sum(11, 12, 13, 14) : sum(11, 12) };
      } catch {
        return { parent: undefined, ticks: 0 };
      }
    };
    const children = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => ticks(pid, false))
      .filter(({ parent }) => parent === `${server.pid}`);
    return (children.reduce((all, child) => all + child.ticks, 0) + ticks(`${server.pid}`, true).ticks) / 100;
  };

  /** A process of its own, as in the product. */
  const withReceiver = async <T>(work: () => Promise<T>) => {
    const spool = await mkdtemp(join(folder, 'spool-'));
    const child = spawn(process.execPath, ['--import', 'tsx', join(checkout, 'e2e/backup/receive.ts')], {
      cwd: checkout,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.write(
      `${JSON.stringify({ connectionString: server.connectionString, slot: 'comparison', spool })}\n`,
    );
    const connected = Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      once(child, 'exit'),
    ]);
    try {
      expect(String(await connected)).toContain('connected');
      const before = cpuOf(child);
      // One connection for all of it: those who look must not be what costs.
      return await withClient(server.connectionString, async (client) => {
        const watch = watchLag(client);
        const result = await work();
        const { seconds: caughtUp } = await timed(async () => untilReceived(client));
        return { result, lags: await watch.stop(), caughtUp, cpu: cpuOf(child) - before };
      });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
      await withoutSlot(server.connectionString);
      await rm(spool, { recursive: true, force: true });
    }
  };

  const cpuOf = ({ pid }: ChildProcess): number => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  };

  /** Bytes that the server has on its disk, and the receiver not yet on its own. */
  const lag = async (client: pg.Client): Promise<number> => {
    const { rows } = await client.query<{ lag: string | null }>(
      'select max(pg_current_wal_flush_lsn() - flush_lsn)::text as lag from pg_stat_replication',
    );
    return Number(rows[0]?.lag ?? Number.NaN);
  };

  const untilReceived = async (client: pg.Client): Promise<void> => {
    const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
    await vi.waitUntil(
      async () => {
        const found = await client.query<{ there: boolean | null }>(
          'select bool_and(flush_lsn >= $1::pg_lsn) as there from pg_stat_replication',
          [rows[0]?.lsn],
        );
        return found.rows[0]?.there === true;
      },
      { timeout: 60_000, interval: 50 },
    );
  };

  const watchLag = (client: pg.Client) => {
    const lags: number[] = [];
    const ended = new AbortController();
    const watch = (async () => {
      for (; !ended.signal.aborted; await pause(250)) lags.push(await lag(client));
    })();
    return {
      stop: async () => {
        ended.abort();
        await watch;
        return lags.filter((each) => !Number.isNaN(each));
      },
    };
  };

  test.each([
    ['20 MB/s', () => [`--file=${join(folder, 'scripts/writes.sql')}`, '--rate=1250']],
    ['all it can do in small transactions', () => ['--builtin=simple-update']],
  ])(
    'keeps up and costs the server little: %s',
    async (what, options) => {
      const throughput: number[] = [];
      const cpu: number[] = [];
      const lags: number[] = [];
      const rates: number[] = [];
      const receiver: number[] = [];
      const caughtUp: number[] = [];
      await pgbench(options());
      for (let pair = 0; pair < PAIRS; pair += 1) {
        const alone = async () => pgbench(options());
        const beside = async () => withReceiver(alone);
        // Whichever comes first has the warmer machine.
        let a: Outcome;
        let b: Awaited<ReturnType<typeof beside>>;
        if (pair % 2 === 0) {
          a = await alone();
          b = await beside();
        } else {
          b = await beside();
          a = await alone();
        }
        throughput.push(b.result.transactions / b.result.seconds / (a.transactions / a.seconds));
        cpu.push(b.result.cpu / b.result.transactions / (a.cpu / a.transactions));
        rates.push(b.result.wal / b.result.seconds / 1e6);
        receiver.push(b.cpu / b.result.seconds);
        caughtUp.push(b.caughtUp);
        lags.push(...b.lags);
      }
      const [kept, spent] = [bootstrapped(throughput), bootstrapped(cpu)];
      report(
        `receiver beside a server that writes ${what}`,
        {
          'MB/s of log': rates,
          'processors of the receiver': receiver,
          'seconds to catch up at the end': caughtUp,
        },
        `throughput with / without: ${inWords(kept)}; processor of the server per transaction with / without: ${inWords(spent)}; ` +
          `lag: median ${(median(lags) / 1e6).toFixed(1)} MB, most ${(Math.max(...lags) / 1e6).toFixed(1)} MB`,
      );
      expect(Math.max(...caughtUp)).toBeLessThan(10);
      if (!full) return;
      expect(Math.max(...lags)).toBeLessThan(100e6);
      // The bar is 10 %; a busy machine may hide on which side of it this lies, but not that it lies far beyond.
      expect(kept.to).toBeGreaterThan(0.9);
    },
    900_000,
  );
});

describe('the system with its database gone', () => {
  let data: string;
  beforeAll(async () => {
    data = newDataDirectory();
  });
  afterAll(() => removeDataDirectory(data));

  test('is back within a minute; the restore takes no more than 1.5 times as long as one of pgBackRest', async () => {
    let system = await startSystem(data);
    try {
      const embedded = await connectEmbedded(data);
      if (!embedded) throw new Error('the system has no database');
      await fill(embedded.superuserConnectionString('calculaud'));
      const expected = await fingerprint(embedded.superuserConnectionString('calculaud'));
      expect(await fingerprint(server.connectionString)).toEqual(expected);
      await calculaud(data, 'backup', 'create');
      await system.kill();
      process.kill(embedded.pid, 'SIGQUIT');
      await vi.waitUntil(async () => !(await exists(`/proc/${embedded.pid}`)), { timeout: 20_000 });
      await rm(join(data, 'postgres'), { recursive: true });

      const restored = await timed(async () => calculaud(data, 'restore', '--to', 'latest', '--yes'));
      const started = await timed(async () => startSystem(data));
      system = started.result;
      const again = await connectEmbedded(data);
      expect(await fingerprint(again?.superuserConnectionString('calculaud') ?? '')).toEqual(expected);
      report('back in service, seconds', { restore: [restored.seconds], start: [started.seconds] });
      expect(restored.seconds + started.seconds).toBeLessThan(60);
    } finally {
      await system.stop();
    }
    await compareRestores();
  }, 900_000);

  const exists = async (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    );

  const compareRestores = async (): Promise<void> => {
    const keys = await readKeyRing(join(data, 'backup.keys'));
    if (!keys) throw new Error('there are no keys');
    const ours = await openRepository(await openFolderStore(join(data, 'backups')), keys);
    // The one that was made when it was asked for, of all rows.
    const newest = (await ours.listManifests()).find(
      (each) => !('unreadable' in each) && each.reason === 'requested',
    );
    if (!newest) throw new Error('there is no backup');
    const theirs = await pgBackRestBackup();
    const expected = await fingerprint(server.connectionString);
    const seconds: Record<
      'ours' | 'of these files' | 'of these log' | 'of these recovery' | 'pgBackRest 1' | 'pgBackRest 2',
      number[]
    > = {
      ours: [],
      'of these files': [],
      'of these log': [],
      'of these recovery': [],
      'pgBackRest 1': [],
      'pgBackRest 2': [],
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      const directory = join(folder, 'restored');
      const mine = await timed(async () =>
        restoreCluster({ repository: ours, target: { kind: 'backup', id: newest.id }, directory, signal }),
      );
      seconds.ours.push(mine.seconds);
      const { server: built, phases } = mine.result;
      seconds['of these files'].push(phases.filesMs / 1000);
      seconds['of these log'].push(phases.logMs / 1000);
      seconds['of these recovery'].push(phases.recoveryMs / 1000);
      if (round === 0) {
        expect(await fingerprint(built.superuserConnectionString('calculaud'))).toEqual(expected);
      }
      await built.stop();
      await rm(directory, { recursive: true });
      for (const processes of [1, 2] as const) {
        const cluster = makeFolder(join(folder, 'restored'));
        const { seconds: took, result } = await timed(async () => {
          await asServer('pgbackrest', [
            `--config=${configurationOf(theirs).server}`,
            '--stanza=calculaud',
            'restore',
            `--pg1-path=${cluster}`,
            `--process-max=${processes}`,
            '--type=immediate',
            '--target-action=promote',
            '--archive-mode=off',
          ]);
          return startServer(cluster, join(folder, 'restored-socket'));
        });
        seconds[`pgBackRest ${processes}`].push(took);
        if (round === 0) expect(await fingerprint(result.connectionString)).toEqual(expected);
        await result.stop();
        await rm(cluster, { recursive: true });
      }
    }
    const [one, two] = [seconds['pgBackRest 1'], seconds['pgBackRest 2']].map(
      (each) => median(seconds.ours) / median(each),
    );
    report(
      `restore of ${MEGABYTES} MB until the server takes connections, seconds`,
      seconds,
      `ours / pgBackRest: ${one?.toFixed(2)} (one process), ${two?.toFixed(2)} (two)`,
    );
    if (full) expect(one).toBeLessThan(1.5);
  };

  /** Compressed and encrypted as ours. */
  const pgBackRestBackup = async (): Promise<PgBackRestSettings> => {
    const settings: PgBackRestSettings = {
      repository: join(folder, 'pgbackrest'),
      passphrase: 'for a comparison',
      s3: undefined,
      folder: join(folder, 'pgbackrest-work'),
      processes: 2,
    };
    await withClient(server.connectionString, async (client) => client.query('drop table if exists load'));
    await server.stop();
    server = await startServer(server.dataDirectory, server.socketDirectory, {
      archive_mode: 'on',
      archive_command: archiveCommand(settings),
    });
    await pgBackRestEngine(settings, server.connectionString).create({ full: true, signal });
    return settings;
  };
});
