import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { storeExport } from '@calculaud/backup/logical/stored-export';
import { formatLsn, placeOf, SEGMENT_BYTES, segmentAt } from '@calculaud/backup/postgres/lsn';
import { encode } from '@calculaud/backup/repository/encoding';
import { newKeyRing, readKeyRing, writeKeyRing } from '@calculaud/backup/repository/keyring';
import type { BackupManifest } from '@calculaud/backup/repository/manifest';
import { type OpenedRepository, openRepository } from '@calculaud/backup/repository/open-repository';
import { openStore } from '@calculaud/backup/repository/open-store';
import { readStatus } from '@calculaud/backup/service/status';
import { connectEmbedded } from '@calculaud/embedded/supervisor';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { full, newDataDirectory, removeDataDirectory, startSystem } from '../system.ts';
import { type Typed, typedWith } from './command.ts';

/**
 * What can happen to a repository, each on a copy of one that is well, and what an operator is told who types a command: an end
 * that is not 0, and the name of what is hurt. Nothing runs meanwhile but the command.
 */

/** A system that was backed up and is stopped. */
let data: string;
let made: {
  readonly id: string;
  readonly older: string;
  readonly systemId: string;
  readonly manifest: BackupManifest;
  readonly exported: string;
  /** Whole segments after the backup, in their order, and the one that is not whole. */
  readonly segments: readonly string[];
  readonly last: string;
};

beforeAll(async () => {
  data = newDataDirectory();
  const system = await startSystem(data);
  const token = await calculaudToken();
  const older = await idOf(await typedWith({ CALCULAUD_DATA: data }, 'backup', 'create', '--json'));
  const id = await idOf(await typedWith({ CALCULAUD_DATA: data }, 'backup', 'create', '--json'));
  const embedded = await connectEmbedded(data);
  if (!embedded) throw new Error('no database');
  const superuser = new pg.Client({ connectionString: embedded.superuserConnectionString('calculaud') });
  await superuser.connect();
  for (let n = 0; n < 4; n += 1) {
    const response = await fetch(`${system.url}/api/v1/purposes`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ description: `sabotage ${n}` }),
    });
    if (response.status !== 201) throw new Error(await response.text());
    await superuser.query('select pg_switch_wal()');
  }
  await superuser.end();
  const repository = await opened(join(data, 'backups'));
  const connectionString = embedded.connectionString('backup');
  const { signal } = new AbortController();
  const { id: exported } = await storeExport({ repository, connectionString, appVersion: '0', signal });
  // What it has received it ships before it ends.
  await system.stop();
  const manifest = await repository.getManifest(id);
  if (!manifest) throw new Error('no manifest');
  const { systemId } = manifest;
  const stored = await repository.listSegments(systemId);
  const after = stored.filter(({ segment }) => segment > segmentOf(manifest.stopLsn));
  const segments = after.filter(({ partial }) => !partial).map(({ segment }) => segment);
  if (segments.length < 3) throw new Error(`only ${segments.join()}`);
  made = { id, older, systemId, manifest, exported, segments, last: after.at(-1)?.segment ?? '' };
}, 180_000);
afterAll(() => removeDataDirectory(data));

async function calculaudToken(): Promise<string> {
  const typed = await typedWith(
    { CALCULAUD_DATA: data },
    'token',
    'create',
    '--role',
    'admin',
    '--name',
    'x',
  );
  const line = typed.said.split('\n').find((each) => /^\S{20,}$/.test(each));
  if (line === undefined) throw new Error(typed.said);
  return line;
}

async function idOf({ said }: Typed): Promise<string> {
  const [id] = /\d{8}T\d{6}Z-[0-9a-f]{8}/.exec(said) ?? [];
  if (id === undefined) throw new Error(said);
  return id;
}

async function opened(path: string): Promise<OpenedRepository> {
  const keyring = await readKeyRing(join(data, 'backup.keys'));
  if (!keyring) throw new Error('no keys');
  return openRepository(await openStore(path), keyring);
}

function segmentOf(lsn: string): string {
  const [high = '0', low = '0'] = lsn.split('/');
  return segmentAt(1, (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) - 1n);
}

/** A copy that a test may do with what it likes. */
class Copy {
  readonly data: string;
  readonly path: string;
  /** Settings beside those that lead to the copy. */
  environment: Record<string, string> = {};
  /** What was damaged, where only the damage tells. */
  hurt = '';

  constructor(folder: string) {
    this.data = folder;
    this.path = join(folder, 'backups');
  }

  at(key: string): string {
    return join(this.path, key);
  }

  segment(name: string): string {
    return this.at(`systems/${made.systemId}/wal/00000001/${name}`);
  }

  chunkOf(path: string): string {
    const [chunk] = made.manifest.files.find((file) => file.path === path)?.chunks ?? [];
    if (!chunk) throw new Error(`no chunk of ${path}`);
    return chunkKey(chunk.name);
  }

  async repository(): Promise<OpenedRepository> {
    return opened(this.path);
  }
}

const chunkKey = (name: string) => `chunks/${name.slice(0, 2)}/${name}`;
/** Of a table that nobody changes: every backup has the same. */
const TABLE = 'base/1/1255';

async function flip(path: string, share = 0.5): Promise<void> {
  const bytes = await readFile(path);
  const place = Math.min(Math.floor(bytes.length * share), bytes.length - 1);
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

async function cut(path: string, length: number): Promise<void> {
  await writeFile(path, (await readFile(path)).subarray(0, length));
}

async function exchange(one: string, other: string): Promise<void> {
  const [first, second] = [await readFile(one), await readFile(other)];
  await writeFile(one, second);
  await writeFile(other, first);
}

async function first(folder: string): Promise<string> {
  const [entry] = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((each) =>
    each.isFile(),
  );
  if (!entry) throw new Error(`${folder} is empty`);
  return join(entry.parentPath, entry.name);
}

interface Sabotage {
  readonly what: string;
  readonly how: (copy: Copy) => Promise<unknown>;
  /** The exit code of each command. */
  readonly ends: Readonly<Record<string, number>>;
  /** What all of them name. */
  readonly named: (copy: Copy) => string;
}

const VERIFY = 'backup verify';
const LIST = 'backup list';
const PRUNE = 'backup prune --dry-run';
const RESTORE = 'restore --to latest --into ./into --yes';
const RESTORE_IT = 'restore --to <id> --into ./into --yes';
const STATUS = 'backup status';
const middle = () => made.segments[1] ?? '';

/** A short run takes one command of every fourth; a full one all of all. */
const SHORT_SHARE = 4;
const sabotages: readonly Sabotage[] = [
  {
    what: 'a chunk is cut',
    how: async (copy) => cut(copy.at(copy.chunkOf(TABLE)), 60),
    ends: { [VERIFY]: 2, [RESTORE]: 2, drill: 2 },
    named: (copy) => copy.chunkOf(TABLE),
  },
  {
    what: 'a chunk is empty',
    how: async (copy) => cut(copy.at(copy.chunkOf(TABLE)), 0),
    ends: { [VERIFY]: 2, [RESTORE]: 2 },
    named: (copy) => copy.chunkOf(TABLE),
  },
  {
    what: 'a byte in a chunk is another one',
    how: async (copy) => flip(copy.at(copy.chunkOf(TABLE))),
    ends: { [VERIFY]: 2, [RESTORE]: 2, drill: 2 },
    named: (copy) => copy.chunkOf(TABLE),
  },
  {
    what: 'a chunk is missing',
    how: async (copy) => rm(copy.at(copy.chunkOf(TABLE))),
    ends: { [VERIFY]: 2, [RESTORE]: 2, drill: 2 },
    named: (copy) => copy.chunkOf(TABLE),
  },
  {
    what: 'two chunks are exchanged',
    how: async (copy) => exchange(copy.at(copy.chunkOf(TABLE)), copy.at(copy.chunkOf('base/1/1249'))),
    ends: { [VERIFY]: 2 },
    named: (copy) => copy.chunkOf(TABLE),
  },
  {
    what: 'a chunk was written with the keys, and is not what its name says',
    how: async (copy) => {
      const { keyring, store } = await copy.repository();
      const key = copy.chunkOf(TABLE);
      await store.put(key, await encode(keyring, key, Buffer.from('something else')));
    },
    ends: { [VERIFY]: 2, [RESTORE]: 2 },
    named: (copy) => copy.chunkOf(TABLE),
  },
  {
    what: 'a byte in a segment of the log is another one',
    how: async (copy) => flip(copy.segment(middle())),
    ends: { [VERIFY]: 2, [RESTORE]: 2, drill: 2 },
    named: middle,
  },
  {
    what: 'a segment is cut',
    how: async (copy) => cut(copy.segment(middle()), 1000),
    ends: { [VERIFY]: 2, [RESTORE]: 2 },
    named: middle,
  },
  {
    what: 'a segment is missing',
    how: async (copy) => rm(copy.segment(middle())),
    ends: { [VERIFY]: 2, [RESTORE]: 2, drill: 2 },
    named: middle,
  },
  {
    what: 'the hole begins exactly where the log of the backup ends',
    how: async (copy) => rm(copy.segment(made.segments[0] ?? '')),
    ends: { [VERIFY]: 2, [RESTORE]: 2, drill: 2 },
    named: () => made.segments[0] ?? '',
  },
  {
    what: 'the segment in which the backup begins is missing',
    how: async (copy) => rm(copy.segment(segmentAt(1, startOf(made.manifest.startLsn)))),
    ends: { [VERIFY]: 2, [RESTORE]: 2, [RESTORE_IT]: 2 },
    named: () => segmentAt(1, startOf(made.manifest.startLsn)),
  },
  {
    what: 'the log ends before the backup does',
    how: async (copy) => {
      const stop = segmentOf(made.manifest.stopLsn);
      for (const name of readdirSync(copy.at(`systems/${made.systemId}/wal/00000001`)))
        if (name >= stop) await rm(copy.segment(name));
    },
    ends: { [VERIFY]: 2, [RESTORE]: 2 },
    named: () => segmentOf(made.manifest.stopLsn),
  },
  {
    what: 'only a part of a segment is there, and later ones follow',
    how: async (copy) => {
      const repository = await copy.repository();
      const ref = { systemId: made.systemId, segment: middle() };
      const found = await repository.getSegment(ref);
      await repository.deleteSegment(ref);
      await repository.putPartialSegment(ref, (found?.content ?? Buffer.alloc(0)).subarray(0, 8192));
    },
    ends: { [VERIFY]: 2, [RESTORE]: 2 },
    named: middle,
  },
  {
    what: 'a segment was written by another cluster',
    how: async (copy) => {
      const repository = await copy.repository();
      const ref = { systemId: made.systemId, segment: middle() };
      const content = Buffer.from((await repository.getSegment(ref))?.content ?? []);
      content.writeBigUInt64LE(4711n, 24);
      await repository.deleteSegment(ref);
      await repository.putSegment(ref, content);
    },
    ends: { [VERIFY]: 2, [RESTORE]: 2, drill: 2 },
    named: middle,
  },
  {
    what: 'two segments are exchanged',
    how: async (copy) => exchange(copy.segment(middle()), copy.segment(made.segments[2] ?? '')),
    ends: { [VERIFY]: 2, [RESTORE]: 2 },
    named: middle,
  },
  {
    what: 'a stretch of the log was never received',
    how: async (copy) => {
      const { systemId, manifest } = made;
      const gap = { systemId, timeline: 1, fromLsn: manifest.stopLsn, toLsn: endOf(middle()) };
      await (await copy.repository()).putGap({
        ...gap,
        noticedAt: new Date().toISOString(),
        reason: 'the slot was lost',
      });
    },
    ends: { [VERIFY]: 2, [RESTORE]: 2, drill: 2 },
    named: () => `${made.manifest.stopLsn} to ${endOf(middle())}`,
  },
  {
    what: 'a byte in the note of a gap is another one',
    how: async (copy) => {
      const { systemId, manifest } = made;
      const gap = { systemId, timeline: 1, fromLsn: manifest.stopLsn, toLsn: endOf(middle()) };
      await (await copy.repository()).putGap({
        ...gap,
        noticedAt: new Date().toISOString(),
        reason: 'the slot was lost',
      });
      await flip(await first(copy.at(`systems/${systemId}/gaps`)));
    },
    ends: { [VERIFY]: 2, [RESTORE]: 2 },
    named: () => `systems/${made.systemId}/gaps/`,
  },
  {
    what: 'the history of a timeline is damaged',
    how: async (copy) => {
      const repository = await copy.repository();
      await repository.putTimelineHistory(made.systemId, 2, Buffer.from('1\t0/F000000\treason\n'));
      await flip(copy.at(`systems/${made.systemId}/begun/00000002`));
    },
    ends: { [VERIFY]: 2, [RESTORE]: 2 },
    named: () => `systems/${made.systemId}/begun/00000002`,
  },
  {
    what: 'a byte in a manifest is another one',
    how: async (copy) => flip(copy.at(`backups/${made.id}`)),
    ends: { [VERIFY]: 2, [LIST]: 2, [PRUNE]: 2, [RESTORE_IT]: 2 },
    named: () => made.id,
  },
  {
    what: 'a manifest is cut',
    how: async (copy) => cut(copy.at(`backups/${made.id}`), 100),
    ends: { [VERIFY]: 2, [LIST]: 2, [PRUNE]: 2 },
    named: () => made.id,
  },
  {
    what: 'a manifest lies under the name of another one',
    how: async (copy) => cp(copy.at(`backups/${made.older}`), copy.at(`backups/${made.id}`)),
    ends: { [VERIFY]: 2, [LIST]: 2 },
    named: () => made.id,
  },
  {
    what: 'a manifest is gone',
    how: async (copy) => rm(copy.at(`backups/${made.id}`)),
    ends: { [`${VERIFY} <id>`]: 2, [RESTORE_IT]: 3 },
    named: () => made.id,
  },
  {
    what: 'the content of an attached file is gone',
    how: async (copy) => {
      copy.hurt = await attachedChunk(copy);
      await rm(copy.at(copy.hurt));
    },
    ends: { [VERIFY]: 2 },
    named: ({ hurt }) => hurt,
  },
  {
    what: 'the entry of an attached file is damaged',
    how: async (copy) => flip(await first(copy.at('attached'))),
    ends: { [VERIFY]: 2, [PRUNE]: 2 },
    named: () => 'attached/',
  },
  {
    what: 'the content of an export is damaged',
    how: async (copy) => {
      const { record } = (await (await copy.repository()).listRecords('exports'))[0] ?? {};
      const [, name = ''] = /"name":"([0-9a-f]{64})"/.exec(JSON.stringify(record)) ?? [];
      await flip(copy.at(chunkKey(name)));
    },
    ends: { [`backup extract <export> ./export.tar`]: 2, [VERIFY]: 2 },
    named: () => 'chunks/',
  },
  {
    what: 'the record of an export is damaged',
    how: async (copy) => flip(copy.at(`records/exports/${made.exported}`)),
    ends: { [LIST]: 2, [PRUNE]: 2, [VERIFY]: 2 },
    named: () => `records/exports/${made.exported}`,
  },
  {
    what: 'the record of a hold is damaged',
    how: async (copy) => {
      const repository = await copy.repository();
      const hold = { backup: made.id, held: true, why: 'audit', who: 'x', at: new Date().toISOString() };
      await repository.putRecord('holds', '20261201T060000Z-0123abcd', hold);
      await flip(copy.at('records/holds/20261201T060000Z-0123abcd'));
    },
    ends: { [PRUNE]: 2 },
    named: () => 'records/holds/20261201T060000Z-0123abcd',
  },
  {
    what: 'the list of what was marked to go is damaged',
    how: async (copy) => {
      mkdirSync(copy.at('tombstones'));
      await writeFile(copy.at('tombstones/20261201T060000Z-0123abcd'), 'nonsense');
    },
    ends: { [PRUNE]: 2 },
    named: () => 'tombstones/20261201T060000Z-0123abcd',
  },
  {
    what: 'the keys are those of another repository',
    how: async (copy) => replaceKeys(copy, newKeyRing()),
    ends: { [VERIFY]: 3, [LIST]: 3, [RESTORE]: 3, drill: 3, [PRUNE]: 3 },
    named: (copy) => copy.path,
  },
  {
    what: 'the keys say that they belong to this repository, and do not',
    how: async (copy) => {
      const { id } = await copy.repository();
      await replaceKeys(copy, { ...newKeyRing(), repository: id });
    },
    ends: { [VERIFY]: 2, [LIST]: 3, [RESTORE]: 2 },
    named: () => made.id,
  },
  {
    what: 'the recovery kit is the one of another system',
    how: async (copy) => {
      const page = await readFile(join(data, 'recovery-kit.txt'), 'utf8');
      await writeFile(
        join(copy.data, 'kit.txt'),
        page.replace(/AGE-SECRET-KEY-1\w+/, `AGE-SECRET-KEY-1${'Q'.repeat(58)}`),
      );
    },
    ends: { [`${LIST} --kit ./kit.txt`]: 3 },
    named: () => 'kit',
  },
  {
    what: 'the keys for the kit are gone from the repository',
    how: async (copy) => {
      await rm(copy.at('keys'), { recursive: true });
      await cp(join(data, 'recovery-kit.txt'), join(copy.data, 'kit.txt'));
    },
    ends: { [`${LIST} --kit ./kit.txt --from ./backups`]: 2 },
    named: (copy) => copy.path,
  },
  {
    what: 'the repository is of a format of before',
    how: async (copy) => {
      const text = await readFile(copy.at('format.json'), 'utf8');
      await writeFile(copy.at('format.json'), text.replace('"format":1', '"format":0'));
    },
    ends: { [VERIFY]: 3, [LIST]: 3, [RESTORE]: 3, [PRUNE]: 3 },
    named: () => 'has format 0',
  },
  {
    what: 'the description of the repository is damaged',
    how: async (copy) => cut(copy.at('format.json'), 10),
    ends: { [VERIFY]: 2, [LIST]: 2 },
    named: () => 'format.json',
  },
  {
    what: 'the description of the repository is gone',
    how: async (copy) => rm(copy.at('format.json')),
    ends: { [VERIFY]: 2, [LIST]: 2, [RESTORE]: 2 },
    named: (copy) => copy.path,
  },
  {
    what: 'the folder of the repository is gone',
    how: async (copy) => rename(copy.path, `${copy.path}-moved`),
    ends: { [VERIFY]: 7, [LIST]: 7, [RESTORE]: 7, drill: 7, [PRUNE]: 7 },
    named: (copy) => copy.path,
  },
  {
    what: 'a file lies where the folder of the repository was',
    how: async (copy) => {
      await rename(copy.path, `${copy.path}-moved`);
      await writeFile(copy.path, '');
    },
    ends: { [VERIFY]: 7, [LIST]: 7 },
    named: (copy) => copy.path,
  },
  {
    what: 'one of two stores cannot be reached',
    how: async (copy) => {
      const dead = 's3://nowhere/x?endpoint=http://127.0.0.1:1';
      copy.environment = {
        CALCULAUD_BACKUP_REPOSITORIES: `${copy.path},${dead}`,
        CALCULAUD_BACKUP_S3_ACCESS_KEY_ID: 'x',
        CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY: 'y',
      };
    },
    ends: { [VERIFY]: 7, [LIST]: 7, drill: 7 },
    named: () => 's3://nowhere/x',
  },
  {
    what: 'somebody else is at work in the repository',
    how: async (copy) => {
      // Something to do, so that the lease is asked for.
      const { store } = await copy.repository();
      await store.put(chunkKey('ab'.repeat(32)), Buffer.from('nobody needs it'));
      const lease = {
        holder: 'x',
        who: 'a backup on the other machine',
        until: new Date(Date.now() + 60_000),
      };
      await store.put('leases/prune/0000000001', Buffer.from(JSON.stringify(lease)));
    },
    ends: { 'backup prune --yes': 6 },
    named: () => 'a backup on the other machine',
  },
  {
    what: 'the service has told nothing for an hour',
    how: async (copy) =>
      changeStatus(copy, ({ text }) => text.replace(/"at":"[^"]+"/, `"at":"${anHourAgo()}"`)),
    ends: { [STATUS]: 2 },
    named: () => 'service-silent',
  },
  {
    what: 'no service has ever told anything',
    how: async (copy) => rm(join(copy.data, 'backup-work', 'status.json')),
    ends: { [STATUS]: 7 },
    named: (copy) => copy.data,
  },
  {
    what: 'the newest backup is of the year 2099, because a clock was moved',
    how: async (copy) => changeStatus(copy, ({ text }) => text.replace(/"base":"\d{4}/, '"base":"2099')),
    ends: { [STATUS]: 2 },
    named: () => 'clock-moved',
  },
  {
    what: 'the newest backup is two days old',
    how: async (copy) =>
      changeStatus(copy, ({ text }) =>
        text.replace(/"base":"[^"]+"/, `"base":"${new Date(Date.now() - 48 * 3_600_000).toISOString()}"`),
      ),
    ends: { [STATUS]: 2 },
    named: (copy) => copy.path,
  },
];

const startOf = (lsn: string) => {
  const place = placeOf(segmentOf(lsn));
  return place?.start ?? 0n;
};
const endOf = (segment: string) => formatLsn((placeOf(segment)?.start ?? 0n) + SEGMENT_BYTES);
const anHourAgo = () => new Date(Date.now() - 3_600_000).toISOString();

async function attachedChunk(copy: Copy): Promise<string> {
  const needed = new Set(made.manifest.files.flatMap(({ chunks }) => chunks.map(({ name }) => name)));
  for await (const { chunks } of (await copy.repository()).listAttached()) {
    const own = chunks.find(({ name }) => !needed.has(name));
    if (own) return chunkKey(own.name);
  }
  throw new Error('nothing is attached');
}

async function replaceKeys(copy: Copy, keyring: ReturnType<typeof newKeyRing>): Promise<void> {
  await rm(join(copy.data, 'backup.keys'));
  await writeKeyRing(join(copy.data, 'backup.keys'), keyring);
}

/** What the service has told, as if it were a moment ago. */
async function changeStatus(
  copy: Copy,
  change: (status: { readonly text: string }) => string,
): Promise<void> {
  const path = join(copy.data, 'backup-work', 'status.json');
  await writeFile(path, change({ text: await readFile(path, 'utf8') }));
}

let copies = 0;
/** A data folder of its own, with all but the database. */
async function copyOf(): Promise<Copy> {
  copies += 1;
  const folder = join(data, `copy-${copies}`);
  mkdirSync(folder);
  execFileSync('cp', ['-a', join(data, 'backups'), join(data, 'backup.keys'), folder]);
  const work = join(folder, 'backup-work');
  mkdirSync(work);
  const status = await readStatus(join(data, 'backup-work'));
  const text = JSON.stringify({ ...status, at: new Date() }).replaceAll(
    join(data, 'backups'),
    join(folder, 'backups'),
  );
  await writeFile(join(work, 'status.json'), text);
  return new Copy(folder);
}

/** As an operator types it in the folder of the copy. */
async function typedAt(copy: Copy, line: string): Promise<Typed> {
  const words = line
    .replace('<id>', made.id)
    .replace('<export>', made.exported)
    .split(' ')
    .map((word) => (word.startsWith('./') ? join(copy.data, word) : word));
  return typedWith(
    { CALCULAUD_DATA: copy.data, CALCULAUD_BACKUP_REPOSITORIES: copy.path, ...copy.environment },
    ...words,
  );
}

describe.concurrent('sabotage', () => {
  test.each(sabotages.filter((_, index) => full || index % SHORT_SHARE === 0))(
    '$what',
    async ({ how, ends, named }) => {
      const copy = await copyOf();
      await how(copy);
      const lines = Object.entries(ends);
      for (const [line, exitCode] of full ? lines : lines.slice(0, 1)) {
        const typed = await typedAt(copy, line);
        expect([line, typed]).toMatchObject([line, { exitCode, said: expect.stringContaining(named(copy)) }]);
        // Neither a database nor a file that looks like one.
        for (const name of ['into/postgres', 'export.tar'])
          expect(existsSync(join(copy.data, name))).toBe(false);
      }
      await rm(copy.data, { recursive: true });
    },
  );

  test('nothing is found where nobody did anything', async () => {
    const copy = await copyOf();
    const well = [VERIFY, LIST, STATUS, PRUNE, RESTORE];
    const more = [`${VERIFY} <id>`, 'drill', 'drill --history', 'backup extract <export> ./export.tar', LIST];
    for (const line of full ? [...well, ...more] : well) {
      expect([line, await typedAt(copy, line)]).toMatchObject([line, { exitCode: 0 }]);
    }
    await rm(copy.data, { recursive: true });
  });
});
