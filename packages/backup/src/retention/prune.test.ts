import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listExports } from '../logical/stored-export.ts';
import { openFolderStore } from '../repository/folder-store.ts';
import { newKeyRing } from '../repository/keyring.ts';
import { createRepository, type OpenedRepository, openRepository } from '../repository/open-repository.ts';
import { newRecordName } from '../repository/record-name.ts';
import { joined, partsOf } from '../repository/testing/content.ts';
import { kindsOfStores } from '../repository/testing/stores.ts';
import { recordHold } from './holds.ts';
import { retentionPolicy } from './policy.ts';
import { type PrunableRepository, prunable } from './prunable.ts';
import { applyPrune, planPrune, prunePlan } from './prune.ts';
import { DAY_MS, SYSTEM, segmentName, storeBackup, storeSegment, verified } from './testing/backups.ts';

const HOUR_MS = DAY_MS / 24;
const WHO = 'a test';
/** The window and the two verified ones stay, and nothing else. */
const policy = retentionPolicy.parse({ daily: 0, weekly: 0, monthly: 0, yearly: 0 });

let folder: string;
let opened: OpenedRepository;
let repository: PrunableRepository;
/** Far enough ahead that what the folder dates with the real clock is before the window. */
let now: Date;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-prune-'));
  opened = await createRepository(await openFolderStore(folder), newKeyRing());
  repository = prunable(opened);
  now = new Date(Date.now() + 100 * DAY_MS);
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const daysAgo = (days: number) => new Date(now.getTime() - days * DAY_MS);
const pass = (hours: number) => {
  now = new Date(now.getTime() + hours * HOUR_MS);
};

/** Ages in days; each has a chunk of its own and shares one with all others. The older, the smaller its segment. */
async function backups(...ages: readonly number[]): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const age of ages) {
    const segment = 1000 - age * 10;
    const contents = ['shared', `of ${age}`];
    const { id } = await storeBackup(repository, { finishedAt: daysAgo(age), segment, contents });
    for (let number = segment; number < segment + 3; number += 1) await storeSegment(opened, number);
    await verified(repository, id);
    ids.push(id);
  }
  return ids;
}

async function storeExportOf(age: number, ...contents: readonly string[]): Promise<string> {
  const chunks = [];
  for (const content of contents)
    chunks.push(...(await repository.putContent(partsOf(Buffer.from(content)))).chunks);
  const takenAt = daysAgo(age).toISOString();
  const id = newRecordName(daysAgo(age));
  const about = { appVersion: '1.0.0', size: 1, sha256: '0'.repeat(64), tables: 1, rows: 1 };
  await repository.putRecord('exports', id, { takenAt, ...about, chunks });
  return id;
}

const plan = async () => planPrune(repository, policy, { now });
const apply = async (some?: Awaited<ReturnType<typeof plan>>) =>
  applyPrune(repository, some ?? (await plan()), { now, who: WHO });
const stored = async (prefix: string) => {
  const keys: string[] = [];
  for await (const { key } of repository.listKeys(prefix)) keys.push(key);
  return keys.toSorted();
};
const ids = async () => (await repository.listManifests()).map(({ id }) => id);

test('a repository without backups has nothing to remove', async () => {
  await storeSegment(opened, 1);
  expect(await apply()).toMatchObject({ removed: { backups: [], segments: 0, chunks: 0 }, marked: 0 });
  expect(await stored('systems/')).toHaveLength(1);
});

test('a backup that nobody needs is marked, and goes 72 hours later with its chunks and its log', async () => {
  const [old, ...others] = await backups(60, 20, 3, 1);
  const shown = await plan();
  expect(prunePlan.parse(JSON.parse(JSON.stringify(shown)))).toEqual(shown);
  expect(shown).toMatchObject({ blocked: [], chunks: { keep: { count: 7 }, mark: { count: 2 } } });
  expect(shown.stretches).toEqual([
    { systemId: SYSTEM, fate: 'mark', first: segmentName(400), last: segmentName(402), count: 3 },
  ]);
  expect(shown.bytes.now).toBe(0);
  expect(await apply(shown)).toMatchObject({ marked: 6, removed: { backups: [], chunks: 0, segments: 0 } });
  expect(await ids()).toContain(old);

  pass(71);
  expect(await apply()).toMatchObject({ marked: 0, removed: { backups: [], chunks: 0, segments: 0 } });
  expect((await plan()).backups.find(({ id }) => id === old)).toMatchObject({ fate: 'wait' });
  pass(1);
  const due = await plan();
  expect(due.bytes.now).toBeGreaterThan(0);
  const outcome = await apply(due);
  expect(outcome.removed).toMatchObject({ backups: [old], chunks: 2, segments: 3, bytes: due.bytes.now });
  expect((await ids()).toSorted()).toEqual(others.toSorted());
  expect(await stored('tombstones/')).toEqual([]);
  for (const manifest of await repository.listManifests()) {
    if (!('files' in manifest)) throw new Error(manifest.unreadable);
    for (const { chunks } of manifest.files)
      for await (const part of repository.getContent(chunks)) void part;
  }
  expect(await apply(due)).toMatchObject({ marked: 0, unmarked: 0, removed: { backups: [], chunks: 0 } });
});

test('chunks of a backup that was killed go, and those of attached files stay', async () => {
  await backups(2, 1);
  await repository.putContent(lines('left by a killed backup'));
  const { size, sha256, chunks } = await repository.putContent(lines('an attached file'));
  await repository.putAttached({ key: 'file-1', size, sha256, chunks: [...chunks] });
  expect(await apply()).toMatchObject({ marked: 1 });
  pass(72);
  expect(await apply()).toMatchObject({ removed: { chunks: 1 } });
  const attached = await repository.getAttached('file-1');
  expect(await text(repository.getContent(attached?.chunks ?? []))).toBe('an attached file');
});

test('a chunk that a new backup took up loses its mark, and waits anew when that backup goes', async () => {
  await backups(2, 1);
  await repository.putContent(lines('taken up'));
  await apply();
  pass(73);
  await storeBackup(repository, { finishedAt: now, segment: 2000, contents: ['taken up'] });
  expect(await apply()).toMatchObject({ unmarked: 1, removed: { chunks: 0 } });
  expect(await stored('tombstones/')).toEqual([]);
  for (const id of await ids()) if (id.startsWith(stamp(now))) await repository.deleteKey(`backups/${id}`);
  pass(1);
  expect(await apply()).toMatchObject({ marked: 2, removed: { chunks: 0 } });
});

test('a legal hold that was set after the mark, or after the plan, keeps the backup', async () => {
  const [old = ''] = await backups(60, 20, 1);
  await apply();
  pass(80);
  const shown = await plan();
  expect(shown.backups.find(({ id }) => id === old)?.fate).toBe('remove');
  await recordHold(repository, { backup: old, held: true, who: WHO, why: 'a law suit' });
  const outcome = await applyPrune(repository, shown, { now, who: WHO });
  expect(outcome.removed).toMatchObject({ backups: [], chunks: 0 });
  expect(outcome.unmarked).toBeGreaterThan(3);
  expect(await ids()).toContain(old);
  const segments = (await stored(`systems/${SYSTEM}/wal/`)).map((key) => key.slice(-24));
  expect(segments).toEqual(expect.arrayContaining([segmentName(400), segmentName(401)]));
});

test('a hold that was ended holds nothing any more', async () => {
  const [old = ''] = await backups(60, 20, 1);
  await recordHold(repository, { backup: old, held: true, who: WHO, why: 'a law suit' });
  expect((await plan()).backups.find(({ id }) => id === old)?.reasons).toEqual(['It is under legal hold.']);
  await recordHold(repository, { backup: old, held: false, who: WHO, why: 'it ended' });
  expect((await plan()).backups.find(({ id }) => id === old)?.fate).toBe('mark');
});

test('an export goes like a backup, record first, and takes only what nobody else refers to', async () => {
  await backups(60, 20, 1);
  const mine = await storeExportOf(90, 'shared', 'of an old export');
  const others = [await storeExportOf(40, 'of an export'), await storeExportOf(2, 'of a new export')];
  await apply();
  expect(await stored('records/exports/')).toHaveLength(3);
  pass(80);
  expect((await apply()).removed).toMatchObject({ exports: [mine] });
  expect(await stored('records/exports/')).toEqual(others.map((id) => `records/exports/${id}`));
  for (const { chunks } of await listExports(repository)) {
    await expect(joined(repository.getContent(chunks))).resolves.toBeDefined();
  }
  for (const id of await ids()) {
    const manifest = await repository.getManifest(id);
    for (const { chunks } of manifest?.files ?? []) {
      await expect(joined(repository.getContent(chunks))).resolves.toBeDefined();
    }
  }
});

test('what the plan that was confirmed does not show is not removed', async () => {
  const [old = ''] = await backups(60, 20, 1);
  await apply();
  pass(80);
  const shown = await plan();
  const without = {
    ...shown,
    backups: shown.backups.map((each) => (each.id === old ? { ...each, fate: 'keep' as const } : each)),
  };
  expect(await apply(without)).toMatchObject({ removed: { backups: [], chunks: 0 } });
  expect(await ids()).toContain(old);
});

test('while a backup runs nothing is removed, and during a removal none begins', async () => {
  await backups(60, 20, 1);
  await apply();
  pass(80);
  const shown = await plan();
  await repository.withLease('backup', 'calculaud backup (scheduled)', async () => {
    await expect(apply(shown)).rejects.toMatchObject({
      kind: 'busy',
      message: expect.stringContaining('calculaud backup (scheduled) is at work'),
    });
  });
  expect(await ids()).toHaveLength(3);
  let refused: unknown;
  const watched: PrunableRepository = {
    ...repository,
    deleteKey: async (key) => {
      refused = await repository.withLease('backup', 'another', async () => undefined).catch(String);
      await repository.deleteKey(key);
    },
  };
  await applyPrune(watched, shown, { now, who: WHO });
  expect(refused).toContain('a test is at work');
});

test('a backup that is written in spite of the lease stops the removal before a chunk is gone', async () => {
  await backups(60, 20, 1);
  await apply();
  pass(80);
  const before = await stored('chunks/');
  const forgetful: PrunableRepository = {
    ...repository,
    deleteKey: async (key) => {
      await repository.deleteKey(key);
      if (key.startsWith('backups/')) {
        await storeBackup(repository, { finishedAt: now, segment: 3000, contents: ['of 60'] });
      }
    },
  };
  await expect(applyPrune(forgetful, await plan(), { now, who: WHO })).rejects.toMatchObject({
    kind: 'busy',
  });
  expect(await stored('chunks/')).toEqual(expect.arrayContaining(before));
});

test('a manifest that is damaged or of a newer version keeps everything, and is named', async () => {
  const [old = ''] = await backups(60, 20, 1);
  await apply();
  pass(80);
  const before = await stored('');
  await writeFile(join(folder, 'backups', old), 'not a manifest');
  const shown = await plan();
  expect(shown.blocked.join()).toContain(`backups/${old}`);
  expect(shown.backups.every(({ fate }) => fate === 'keep')).toBe(true);
  expect(shown).toMatchObject({ bytes: { now: 0, later: 0 } });
  await expect(apply(shown)).rejects.toMatchObject({ kind: 'impossible' });
  await writeFile(join(folder, 'backups', 'later-format'), 'x');
  expect((await plan()).blocked).toHaveLength(1);
  expect(await stored('')).toEqual([...before, 'backups/later-format'].toSorted());
});

test.each([
  ['attached', 'an attached file'],
  ['tombstones', 'a list of marks'],
  ['records/verifications', 'a verification'],
])('damage in %s keeps everything', async (prefix) => {
  await backups(60, 20, 1);
  const { size, sha256, chunks } = await repository.putContent(lines('an attached file'));
  await repository.putAttached({ key: 'file-1', size, sha256, chunks: [...chunks] });
  await apply();
  pass(80);
  const shown = await plan();
  expect(shown.blocked).toEqual([]);
  const [key = ''] = await stored(`${prefix}/`);
  await writeFile(join(folder, key), 'damaged');
  await expect(apply(shown)).rejects.toMatchObject({
    kind: 'impossible',
    message: expect.stringContaining(key),
  });
  expect(await ids()).toHaveLength(3);
});

test('after a failed drill nothing is removed until one passes', async () => {
  await backups(60, 20, 1);
  const drill = { finishedAt: now.toISOString(), verdict: 'failed' };
  await repository.putRecord('drills', '1', drill);
  expect((await plan()).blocked).toEqual([expect.stringContaining('The newest drill')]);
  await expect(apply()).rejects.toMatchObject({ kind: 'impossible' });
  await repository.putRecord('drills', '2', { ...drill, verdict: 'passed' });
  expect((await plan()).blocked).toEqual([]);
});

test('a backup whose verification failed later is no verified one', async () => {
  const [, base = '', newest = ''] = await backups(60, 20, 1);
  await verified(repository, base, 'could-not-verify');
  expect((await plan()).backups.filter((each) => each.verified)).toHaveLength(3);
  await verified(repository, newest, false);
  const shown = await plan();
  expect(shown.backups.map((each) => each.verified)).toEqual([false, true, true]);
  expect(shown.backups.every(({ fate }) => fate === 'keep')).toBe(true);
});

test('a mark that a wrong clock dated in the future begins to wait when it is seen', async () => {
  const [old] = await backups(60, 20, 1);
  const right = now;
  pass(24 * 300);
  await apply();
  now = right;
  expect(await apply()).toMatchObject({ removed: { backups: [], segments: 0 } });
  const [tombstone] = await repository.listTombstones();
  expect(Date.parse(tombstone?.markedAt ?? '')).toBe(now.getTime());
  pass(71);
  expect(await apply()).toMatchObject({ removed: { backups: [] } });
  pass(2);
  expect(await apply()).toMatchObject({ removed: { backups: [old] } });
});

test('a plan of another repository, an old one and one from the future are refused', async () => {
  await backups(2, 1);
  const shown = await plan();
  await expect(apply({ ...shown, repository: 'another' })).rejects.toMatchObject({ kind: 'foreign' });
  pass(-1);
  await expect(apply(shown)).rejects.toThrow(/the clock was moved/);
  pass(26);
  await expect(apply(shown)).rejects.toThrow(/older than a day/);
});

test('a store that cannot be reached is told as such, and takes nothing for needless', async () => {
  await backups(60, 20, 1);
  const lost = await openRepository(opened.store, opened.keyring);
  rmSync(folder, { recursive: true });
  await expect(planPrune(prunable(lost), policy, { now })).rejects.toMatchObject({ kind: 'unavailable' });
  folder = mkdtempSync(join(tmpdir(), 'calculaud-prune-'));
});

test('a partial segment goes once the whole one is there, and stays as long as it is the only one', async () => {
  await backups(2, 1);
  const keys = await Promise.all([2000, 2001].map(async (number) => storeSegment(opened, number)));
  const [beside = '', alone = ''] = keys.map((key) => `${key}.partial`);
  await opened.store.put(beside, Buffer.from('x'));
  await opened.store.put(alone, Buffer.from('x'));
  await opened.store.delete(keys[1] ?? '');
  expect(await apply()).toMatchObject({ marked: 1 });
  pass(72);
  await apply();
  const left = await stored('systems/');
  expect(left).not.toContain(beside);
  expect(left).toEqual(expect.arrayContaining([keys[0], alone]));
});

test.each(kindsOfStores())('marked, and gone 72 hours later, in %s', async (_, start) => {
  const stores = await start();
  try {
    opened = await createRepository(await stores.open(), newKeyRing());
    repository = prunable(opened);
    const [old] = await backups(60, 20, 1);
    await apply();
    pass(72);
    expect(await apply()).toMatchObject({ removed: { backups: [old], chunks: 2, segments: 3 } });
    expect(await apply()).toMatchObject({ marked: 0, removed: { backups: [], chunks: 0, segments: 0 } });
    expect(await stored('tombstones/')).toEqual([]);
    await repository.close();
  } finally {
    await stores.remove();
  }
});

test('what is not ours stays, whatever it is called', async () => {
  await backups(2, 1);
  const keys = ['chunks/readme.txt', `chunks/aa/${'b'.repeat(64)}`, `systems/${SYSTEM}/wal/notes`];
  for (const key of keys) await opened.store.put(key, Buffer.from('x'));
  expect(await apply()).toMatchObject({ marked: 0 });
  pass(100);
  await apply();
  expect(await stored('')).toEqual(expect.arrayContaining(keys));
});

function stamp(time: Date): string {
  return time.toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

async function* lines(content: string): AsyncGenerator<Buffer> {
  yield Buffer.from(content);
}

async function text(content: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts).toString();
}
