import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWalReceiver, type WalEvent, type WalReceiver } from '../postgres/wal-receiver.ts';
import { openFolderStore } from '../repository/folder-store.ts';
import { newKeyRing } from '../repository/keyring.ts';
import { createRepository, type OpenedRepository } from '../repository/open-repository.ts';
import { createBackup } from './create.ts';
import { restoreCluster } from './restore.ts';
import { type Shipping, startShipping } from './ship.ts';
import { parseTarget } from './target.ts';

/** A server with a receiver and a repository beside it, as `npm start` has them. */

let folder: string;
let server: EmbeddedPostgres;
let repository: OpenedRepository;
let receiver: WalReceiver;
let shipping: Shipping;
let owner: pg.Client;
const events: WalEvent[] = [];
const signal = new AbortController().signal;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-restore-'));
  server = await startEmbeddedPostgres({ dataDirectory: join(folder, 'data') });
  repository = await createRepository(await openFolderStore(join(folder, 'repository')), newKeyRing());
  const spool = join(folder, 'spool');
  receiver = startWalReceiver({
    connectionString: server.connectionString('backup'),
    slot: 'calculaud_wal',
    spool,
    onEvent: (event) => {
      events.push(event);
      shipping.wake();
    },
  });
  shipping = startShipping({ spool, repositories: [repository], onEvent: () => undefined });
  owner = new pg.Client({ connectionString: server.connectionString('owner') });
  owner.on('error', () => undefined);
  await owner.connect();
  await owner.query(
    'create table fact (id int primary key, at timestamptz not null default clock_timestamp())',
  );
}, 60_000);
afterAll(async () => {
  await owner.end();
  await receiver.stop();
  await shipping.stop();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

async function backUp() {
  return createBackup({
    repository,
    connectionString: server.connectionString('backup'),
    reason: 'requested',
    appVersion: '0.0.0',
    waitForWal: async (systemId, lsn) => shipping.waitFor(repository.address, systemId, lsn, signal),
    signal,
  });
}

async function add(id: number): Promise<Date> {
  const { rows } = await owner.query<{ at: Date }>('insert into fact (id) values ($1) returning at', [id]);
  return rows[0]?.at ?? new Date(0);
}

async function facts(directory: string, target: string, spool?: string): Promise<number[]> {
  const restored = await restoreCluster({
    repository,
    target: parseTarget(target),
    directory: join(folder, directory),
    ...(spool && { spool }),
    signal,
  });
  const client = new pg.Client({ connectionString: restored.server.superuserConnectionString('calculaud') });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: number }>('select id from fact order by id');
    return rows.map(({ id }) => id);
  } finally {
    await client.end();
    await restored.server.stop();
  }
}

async function flushed(): Promise<string> {
  const { rows } = await owner.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
  return rows[0]?.lsn ?? '';
}

describe('a base backup with the log after it', () => {
  test('is restored to the latest moment, to a moment between two commits, and to the backup itself', async () => {
    await add(1);
    const manifest = await backUp();
    const first = await add(2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const between = new Date();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await add(3);
    expect(between > first).toBe(true);
    await shipping.waitFor(repository.address, manifest.systemId, await flushed(), signal);
    expect(await facts('latest', 'latest')).toEqual([1, 2, 3]);
    expect(await facts('time', between.toISOString())).toEqual([1, 2]);
    expect(await facts('backup', manifest.id)).toEqual([1]);
  }, 120_000);
});
