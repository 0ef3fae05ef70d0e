import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  appendFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { formatLsn, parseLsn, placeOf, SEGMENT_BYTES, segmentAt } from '@calculaud/backup/postgres/lsn';
import { connectForReplication, dropSlot } from '@calculaud/backup/postgres/replication';
import { type FileMethods, fileMethods } from '../../packages/backup/src/postgres/testing/file-methods.ts';
import { startWalReceiver, type WalEvent, type WalReceiver } from '@calculaud/backup/postgres/wal-receiver';

const SLOT = 'calculaud_wal';
const WAIT = { timeout: 20_000, interval: 20 };

let folder: string;
let server: EmbeddedPostgres;
let superuser: pg.Client;
let systemId: string;
/** Of each test. */
let spool: string;
let events: WalEvent[];
const receivers: WalReceiver[] = [];

async function startServer(): Promise<void> {
  server = await startEmbeddedPostgres({ dataDirectory: join(folder, 'data'), durability: 'none' });
  superuser = new pg.Client({ connectionString: server.superuserConnectionString() });
  superuser.on('error', () => undefined);
  await superuser.connect();
  // What was acknowledged is on the disk of the server, and may be sent.
  await superuser.query('set synchronous_commit = on');
}

async function stopServer(): Promise<void> {
  await superuser.end();
  await server.stop();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-wal-'));
  await startServer();
  systemId = await value('select system_identifier from pg_control_system()');
  // What was received is compared with what the server has.
  await superuser.query("alter system set wal_keep_size = '1GB'");
  await superuser.query('alter system set wal_compression = off');
  await superuser.query('select pg_reload_conf()');
  await superuser.query('create table filling (text text)');
}, 60_000);
afterAll(async () => {
  await stopServer();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  spool = await mkdtemp(join(folder, 'spool-'));
  events = [];
  // A new slot begins at the last checkpoint.
  await superuser.query('checkpoint');
});
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()));
  const client = await connectForReplication(server.connectionString('backup'));
  await dropSlot(client, SLOT).catch(() => undefined);
  await client.end();
});

function receive({ connectionString = server.connectionString('backup'), slot = SLOT } = {}): WalReceiver {
  const receiver = startWalReceiver({
    connectionString,
    slot,
    spool,
    onEvent: (event) => events.push(event),
  });
  receivers.push(receiver);
  return receiver;
}

async function value(sql: string): Promise<string> {
  const { rows } = await superuser.query<{ value: unknown }>(`select (${sql})::text as value`);
  return String(rows[0]?.value);
}

/** Some log, then the position up to which the server has it on its disk. */
async function write(bytes: number): Promise<string> {
  await superuser.query("insert into filling select repeat('x', 1000) from generate_series(1, $1::int)", [
    Math.ceil(bytes / 1100),
  ]);
  return flushed();
}

async function flushed(): Promise<string> {
  await superuser.query("insert into filling values ('last')");
  return value('pg_current_wal_flush_lsn()');
}

async function switchSegment(): Promise<void> {
  await superuser.query('select pg_switch_wal()');
}

async function untilFlushed(receiver: WalReceiver, lsn: string): Promise<void> {
  const { flushedLsn } = await vi.waitUntil(() => {
    const position = receiver.position();
    return parseLsn(position.flushedLsn ?? '0/0') >= parseLsn(lsn) ? position : undefined;
  }, WAIT);
  expect(parseLsn(flushedLsn ?? '0/0')).toBeGreaterThanOrEqual(parseLsn(lsn));
}

async function untilEvent<K extends WalEvent['kind']>(kind: K, count = 1): Promise<WalEvent & { kind: K }> {
  return vi.waitUntil(() => ofKind(kind)[count - 1], WAIT);
}

/** The server gives up whoever has not answered for a second, and asks before. */
function impatient(): string {
  const url = new URL(server.connectionString('backup'));
  url.searchParams.set('options', '-c wal_sender_timeout=1s');
  return url.href;
}

/** The server has got answers for so long from now on. */
async function untilAnswered(seconds: number): Promise<void> {
  const until = await value(`now() + interval '${seconds} s'`);
  const last = `coalesce((select max(reply_time) from pg_stat_replication) > '${until}', false)`;
  await expect.poll(async () => value(last), WAIT).toBe('true');
}

function ofKind<K extends WalEvent['kind']>(kind: K): (WalEvent & { kind: K })[] {
  return events.filter((event): event is WalEvent & { kind: K } => event.kind === kind);
}

function serverFile(segment: string): string {
  return join(folder, 'data', 'postgres', 'pg_wal', segment);
}

/** Whole segments as the server has them, one after the other; what comes last begins as the server's does. */
async function expectSameAsServer(upTo: string, timeline = 1): Promise<string[]> {
  const names = (await readdir(join(spool, systemId))).filter((name) => placeOf(name.slice(0, 24)));
  const own = names.filter((name) => placeOf(name.slice(0, 24))?.timeline === timeline).toSorted();
  let expected = placeOf(own[0]?.slice(0, 24) ?? '')?.start ?? 0n;
  for (const name of own) {
    const segment = name.slice(0, 24);
    expect(segment).toBe(segmentAt(timeline, expected));
    const [received, sent] = [
      await readFile(join(spool, systemId, name)),
      await readFile(serverFile(segment)),
    ];
    const whole = name === segment;
    expect(received.length).toBe(whole ? Number(SEGMENT_BYTES) : received.length);
    expect(received.equals(sent.subarray(0, received.length))).toBe(true);
    expected += BigInt(received.length);
  }
  expect(own.slice(0, -1).every((name) => placeOf(name))).toBe(true);
  expect(expected).toBeGreaterThanOrEqual(parseLsn(upTo));
  return own;
}

describe('a receiver', () => {
  test('has the log as the server has it, and keeps the server from removing what it has not', async () => {
    const receiver = receive();
    await untilEvent('connected');
    expect(await value(`select wal_status from pg_replication_slots where slot_name = '${SLOT}'`)).toBe(
      'reserved',
    );
    const lsn = await write(40_000_000);
    await untilFlushed(receiver, lsn);
    const names = await expectSameAsServer(lsn);
    const segments = ofKind('segment');
    expect(segments.map(({ segment }) => segment)).toEqual(names.slice(0, -1));
    expect(segments.length).toBeGreaterThanOrEqual(2);
    expect(segments.every(({ path, systemId: id }) => existsSync(path) && id === systemId)).toBe(true);
    expect(receiver.position()).toMatchObject({ systemId, timeline: 1, connected: true });
    await expect
      .poll(async () => value(`select restart_lsn >= '${lsn}' from pg_replication_slots`), WAIT)
      .toBe('true');
    expect(ofKind('disconnected')).toEqual([]);
  }, 30_000);

  test('takes a segment that the server ended early, filled up with zeros', async () => {
    const receiver = receive();
    await untilEvent('connected');
    const ended = segmentAt(1, parseLsn(await write(100_000)));
    await switchSegment();
    const lsn = await write(100_000);
    await untilFlushed(receiver, lsn);
    await expectSameAsServer(lsn);
    const content = await readFile(join(spool, systemId, ended));
    expect(content.subarray(-8192 + 24).every((byte) => byte === 0)).toBe(true);
  }, 30_000);

  test('goes on where it stopped, and compares what it gets again', async () => {
    const first = receive();
    await untilFlushed(first, await write(20_000_000));
    await first.stop();
    const partial = (await readdir(join(spool, systemId))).find((name) => name.endsWith('.partial')) ?? '';
    const before = await readFile(join(spool, systemId, partial));
    // A crash of the machine may leave anything behind what was synced.
    await appendFile(join(spool, systemId, partial), 'garbage of a crash');
    await write(1_000_000);
    const second = receive();
    const lsn = await write(20_000_000);
    await untilFlushed(second, lsn);
    const names = await expectSameAsServer(lsn);
    expect(names).toContain(partial.slice(0, 24));
    expect(before.length).toBeGreaterThan(0);
  }, 30_000);

  test('leaves no hole when it is killed, again and again, while the server writes', async () => {
    const program = fileURLToPath(new URL('./receive.ts', import.meta.url));
    let lsn = await flushed();
    for (let round = 0; round < 4; round += 1) {
      const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      child.stdin.write(
        `${JSON.stringify({ connectionString: server.connectionString('backup'), slot: SLOT, spool })}\n`,
      );
      const ended = once(child, 'exit');
      const writing = write(50_000_000);
      let segments = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        if (!line.includes('"segment"')) continue;
        segments += 1;
        if (segments > round % 2) break;
      }
      child.kill('SIGKILL');
      await ended;
      lsn = await writing;
    }
    const receiver = receive();
    await untilFlushed(receiver, lsn);
    expect((await expectSameAsServer(lsn)).length).toBeGreaterThanOrEqual(12);
    expect(ofKind('gap')).toEqual([]);
  }, 90_000);

  test('that was killed before a whole segment got its name names it afterwards', async () => {
    const first = receive();
    await untilFlushed(first, await write(1_000_000));
    await first.stop();
    await switchSegment();
    const partial = (await readdir(join(spool, systemId))).find((name) => name.endsWith('.partial')) ?? '';
    const segment = partial.slice(0, 24);
    await writeFile(join(spool, systemId, partial), await readFile(serverFile(segment)));
    const second = receive();
    await untilFlushed(second, await write(1000));
    expect(ofKind('segment').map((event) => event.segment)).toContain(segment);
    await expectSameAsServer(await flushed());
  }, 30_000);

  test('answers an idle server at the end of a segment, so that it is not taken for dead', async () => {
    await switchSegment();
    receive({ connectionString: impatient() });
    await untilEvent('connected');
    await untilAnswered(3);
    expect(ofKind('disconnected')).toEqual([]);
  }, 30_000);

  test('waits for a server that is not there, and stops at once meanwhile', async () => {
    const receiver = receive({ connectionString: 'postgresql://nobody@localhost:1/x' });
    expect((await untilEvent('disconnected', 3)).reason).toMatch(
      /cannot be reached for a backup: .*ECONNREFUSED/,
    );
    expect(receiver.position()).toMatchObject({
      systemId: undefined,
      connected: false,
      flushedLsn: undefined,
    });
    const before = Date.now();
    await receiver.stop();
    expect(Date.now() - before).toBeLessThan(1000);
  });

  test('refuses a name of a slot that the protocol could take for something else', async () => {
    receive({ slot: 'x" PHYSICAL' });
    expect((await untilEvent('disconnected')).reason).toMatch(/not a name of a slot/);
  });

  test('waits while another one has the slot', async () => {
    const first = receive();
    await untilEvent('connected');
    const second = receive();
    expect((await untilEvent('disconnected')).reason).toMatch(/is active for PID/);
    await first.stop();
    await untilEvent('connected', 2);
    await untilFlushed(second, await write(1000));
  }, 30_000);
});

describe('the disk', () => {
  test('has all that the server hears of: as long as a sync goes on, nothing more is told', async () => {
    const files = await fileMethods();
    const receiver = receive({ connectionString: impatient() });
    await untilFlushed(receiver, await write(100_000));
    let release: () => void = () => undefined;
    const disk = new Promise<void>((resolve) => {
      release = resolve;
    });
    const sync = vi.spyOn(files, 'datasync').mockImplementation(async function (this: FileMethods) {
      await disk;
      await this.sync();
    });
    const lsn = await write(2_000_000);
    await vi.waitUntil(() => sync.mock.calls.length > 0, WAIT);
    const held = receiver.position().flushedLsn ?? '';
    await untilAnswered(2);
    const told = async (what: string, least: string) =>
      value(`select ${what} >= '${least}' from pg_stat_replication`);
    expect([await told('write_lsn', lsn), await told('flush_lsn', lsn)]).toEqual(['true', 'false']);
    expect(await value('select flush_lsn from pg_stat_replication')).toBe(held);
    expect(receiver.position().flushedLsn).toBe(held);
    release();
    await expect.poll(async () => told('flush_lsn', lsn), WAIT).toBe('true');
    expect(ofKind('disconnected')).toEqual([]);
  }, 30_000);

  test('that fails a sync is told, and what was lost is written again', async () => {
    const files = await fileMethods();
    const receiver = receive();
    await untilFlushed(receiver, await write(100_000));
    vi.spyOn(files, 'datasync').mockRejectedValueOnce(
      Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }),
    );
    const lsn = await write(100_000);
    expect((await untilEvent('disconnected')).reason).toMatch(/cannot be written: EIO/);
    await untilFlushed(receiver, lsn);
    await expectSameAsServer(lsn);
  }, 30_000);

  test('that is full is told, and when there is room it goes on by itself', async () => {
    const receiver = receive();
    await untilFlushed(receiver, await write(1000));
    await switchSegment();
    const next = segmentAt(1, (parseLsn(await flushed()) / SEGMENT_BYTES + 1n) * SEGMENT_BYTES);
    const full = join(spool, systemId, `${next}.partial`);
    await symlink('/dev/full', full);
    const lsn = await write(20_000_000);
    expect((await untilEvent('disconnected')).reason).toBe(
      `${join(spool, systemId, next)} cannot be written: the disk is full (ENOSPC). Make room there; then it goes on by itself.`,
    );
    expect(parseLsn(receiver.position().flushedLsn ?? '')).toBeLessThanOrEqual(placeOf(next)?.start ?? 0n);
    await untilEvent('disconnected', 2);
    await rm(full);
    await untilFlushed(receiver, lsn);
    await expectSameAsServer(lsn);
  }, 30_000);
});

describe('what the server has lost', () => {
  /** The server may keep next to nothing for a slot until this resolves. */
  async function loseSlot(): Promise<void> {
    await superuser.query("alter system set max_slot_wal_keep_size = '1MB'");
    await superuser.query("alter system set wal_keep_size = '0'");
    await superuser.query('select pg_reload_conf()');
    for (let round = 0; round < 3; round += 1) {
      await write(1_000_000);
      await switchSegment();
    }
    await superuser.query('checkpoint');
    await expect.poll(async () => value('select wal_status from pg_replication_slots'), WAIT).toBe('lost');
    await superuser.query('alter system reset max_slot_wal_keep_size');
    await superuser.query("alter system set wal_keep_size = '1GB'");
    await superuser.query('select pg_reload_conf()');
  }

  test('is a gap, from what was received to what comes next; then it goes on with a new slot', async () => {
    const first = receive();
    const last = await write(1_000_000);
    await untilFlushed(first, last);
    await first.stop();
    const had = first.position().flushedLsn ?? '';
    await loseSlot();

    const second = receive();
    const { gap } = await untilEvent('gap');
    expect(gap).toMatchObject({
      systemId,
      timeline: 1,
      fromLsn: had,
      reason: expect.stringMatching(/already been removed/),
    });
    expect(parseLsn(gap.toLsn) % SEGMENT_BYTES).toBe(0n);
    expect(parseLsn(gap.toLsn)).toBeGreaterThan(parseLsn(gap.fromLsn));
    const lsn = await write(1_000_000);
    await untilFlushed(second, lsn);
    expect(await value('select wal_status from pg_replication_slots')).toBe('reserved');
    const after = segmentAt(1, parseLsn(gap.toLsn));
    expect((await readdir(join(spool, systemId))).some((name) => name.startsWith(after))).toBe(true);
    // It is told once.
    await second.stop();
    const third = receive();
    await untilFlushed(third, await write(1000));
    expect(ofKind('gap').length).toBe(1);
  }, 60_000);

  test('is no gap when only the slot is gone, and the server has the log nevertheless', async () => {
    const first = receive();
    await untilFlushed(first, await write(1_000_000));
    await first.stop();
    const client = await connectForReplication(server.connectionString('backup'));
    await dropSlot(client, SLOT);
    await client.end();
    await write(20_000_000);
    await superuser.query('checkpoint');
    const second = receive();
    const lsn = await write(1000);
    await untilFlushed(second, lsn);
    await expectSameAsServer(lsn);
    expect(ofKind('gap')).toEqual([]);
  }, 30_000);
});

describe('another server', () => {
  test('has a folder of its own', async () => {
    const first = receive();
    await untilFlushed(first, await write(1000));
    await first.stop();
    const neighbour = await startEmbeddedPostgres({
      dataDirectory: join(folder, 'other'),
      durability: 'none',
    });
    try {
      const second = receive({ connectionString: neighbour.connectionString('backup') });
      await untilEvent('connected', 2);
      const other = second.position().systemId;
      expect(other).not.toBe(systemId);
      expect(new Set(await readdir(spool))).toEqual(new Set([systemId, other]));
      await second.stop();
    } finally {
      await neighbour.stop();
    }
  }, 60_000);

  test('that is this one, put back to an earlier state, is not received from', async () => {
    await mkdir(join(spool, systemId), { recursive: true });
    const later = formatLsn(parseLsn(await flushed()) + 100n * SEGMENT_BYTES);
    await writeFile(join(spool, systemId, 'received.json'), JSON.stringify({ 1: later }));
    receive();
    expect((await untilEvent('disconnected')).reason).toContain(`${later} was received of it before`);
    expect(ofKind('connected')).toEqual([]);
  });
});

// Last: they change the timeline of the server.
describe('a server that restarts', () => {
  test('is received from as soon as it is back, and its stop is not held up', async () => {
    const receiver = receive();
    await untilFlushed(receiver, await write(1_000_000));
    const before = Date.now();
    await stopServer();
    expect(Date.now() - before).toBeLessThan(5000);
    await untilEvent('disconnected');
    expect(receiver.position().connected).toBe(false);
    await startServer();
    const lsn = await write(20_000_000);
    await untilFlushed(receiver, lsn);
    await expectSameAsServer(lsn);
    expect(ofKind('gap')).toEqual([]);
  }, 60_000);

  test('killed, too', async () => {
    const receiver = receive();
    await untilFlushed(receiver, await write(1_000_000));
    const writing = write(200_000_000).catch(() => undefined);
    await untilEvent('segment', 2);
    process.kill(-server.pid, 'SIGKILL');
    await server.onExit;
    await writing;
    await stopServer();
    await startServer();
    const lsn = await write(20_000_000);
    await untilFlushed(receiver, lsn);
    await expectSameAsServer(lsn);
  }, 60_000);

  async function promote(): Promise<void> {
    await stopServer();
    const cluster = join(folder, 'data', 'postgres');
    await appendFile(join(cluster, 'postgresql.auto.conf'), "restore_command = 'false'\nhot_standby = off\n");
    await writeFile(join(cluster, 'recovery.signal'), '');
    await startServer();
  }

  test('on a new timeline is followed there, with the end of the one before', async () => {
    const first = receive();
    await untilFlushed(first, await write(1_000_000));
    await first.stop();
    // Of this the receiver knows nothing when the timeline ends.
    const end = await write(20_000_000);
    await promote();
    const second = receive();
    const lsn = await write(20_000_000);
    await untilFlushed(second, lsn);
    expect(second.position().timeline).toBe(2);
    const { path } = await untilEvent('history');
    expect(path).toBe(join(spool, systemId, '00000002.history'));
    expect(await readFile(path, 'utf8')).toBe(await readFile(serverFile('00000002.history'), 'utf8'));
    await expectSameAsServer(lsn, 2);
    const old = (await readdir(join(spool, systemId)))
      .filter((name) => name.startsWith('00000001'))
      .toSorted();
    const { size } = await (async () => {
      const file = await open(join(spool, systemId, old.at(-1) ?? ''));
      const found = await file.stat();
      await file.close();
      return found;
    })();
    expect((placeOf(old.at(-1)?.slice(0, 24) ?? '')?.start ?? 0n) + BigInt(size)).toBeGreaterThanOrEqual(
      parseLsn(end),
    );
    expect(ofKind('gap')).toEqual([]);

    // And over two at once, of which one was never received.
    await second.stop();
    await promote();
    await promote();
    const third = receive();
    const last = await write(1_000_000);
    await untilFlushed(third, last);
    expect(third.position().timeline).toBe(4);
    await expectSameAsServer(last, 4);
    // The newest is asked for first: it tells which ones led to it.
    expect(ofKind('history').map(({ timeline }) => timeline)).toEqual([2, 4, 3]);
  }, 90_000);

  test('on a timeline whose number another one has taken is not mixed with it', async () => {
    await mkdir(join(spool, systemId), { recursive: true });
    const timeline = Number.parseInt(await value('select timeline_id from pg_control_checkpoint()'), 10);
    const name = `${String(timeline).padStart(8, '0')}.history`;
    await writeFile(join(spool, systemId, name), '1\t0/1000000\tanother restore\n');
    receive();
    expect((await untilEvent('disconnected')).reason).toMatch(/two restores have taken the same number/);
    expect(ofKind('connected')).toEqual([]);
  });
});
