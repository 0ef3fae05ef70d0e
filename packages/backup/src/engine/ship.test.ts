import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SEGMENT_BYTES, segmentAt } from '../postgres/lsn.ts';
import { newKeyRing } from '../repository/keyring.ts';
import { createRepository } from '../repository/open-repository.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';
import { memoryStore } from '../retention/testing/memory-store.ts';
import { type Shipping, type ShippingEvent, startShipping } from './ship.ts';

const SYSTEM = '7300000000000000001';
const SIZE = Number(SEGMENT_BYTES);
const LIMIT = 4 * SIZE;
const WAIT = { timeout: 20_000, interval: 20 };

let spool: string;
let events: ShippingEvent[];
let shipping: Shipping;
beforeEach(async () => {
  spool = await mkdtemp(join(tmpdir(), 'calculaud-spool-'));
  await mkdir(join(spool, SYSTEM));
  events = [];
});
afterEach(async () => {
  await shipping.stop();
  await rm(spool, { recursive: true });
});

const nameOf = (number: number) => segmentAt(1, BigInt(number) * SEGMENT_BYTES);
const kept = async () => (await readdir(join(spool, SYSTEM))).toSorted();

async function receive(number: number): Promise<void> {
  const path = join(spool, SYSTEM, nameOf(number));
  await writeFile(`${path}.unfinished`, Buffer.alloc(SIZE, number));
  await rename(`${path}.unfinished`, path);
}

/** A repository that is dead for as long as somebody says so. */
async function mortal(name: string): Promise<Repository & { dead: boolean }> {
  const memory = memoryStore();
  const state = { dead: false };
  const alive = async () => {
    if (state.dead) throw new BackupProblem('unavailable', `${name} is dead`);
  };
  const repository = await createRepository(
    {
      ...memory,
      address: `file:///${name}`,
      put: async (...all) => alive().then(async () => memory.put(...all)),
      get: async (key) => alive().then(async () => memory.get(key)),
      list: async function* listed(prefix) {
        await alive();
        yield* memory.list(prefix);
      },
    },
    newKeyRing(),
  );
  return Object.assign(state, repository);
}

function ship(repositories: readonly Repository[], absent: readonly string[] = []): void {
  shipping = startShipping({
    spool,
    repositories,
    absent: () => absent,
    limitBytes: LIMIT,
    onEvent: (event) => events.push(event),
  });
}

async function segmentsIn(repository: Repository): Promise<readonly string[]> {
  return (await repository.listSegments(SYSTEM)).map(({ segment }) => segment);
}

async function has(repository: Repository, number: number): Promise<void> {
  shipping.wake();
  await vi.waitUntil(async () => (await segmentsIn(repository)).includes(nameOf(number)), WAIT);
}

test('what every repository has goes, and there is room', async () => {
  const [one, other] = [await mortal('one'), await mortal('other')];
  ship([one, other]);
  for (const number of [1, 2, 3, 4, 5]) {
    await receive(number);
    await has(one, number);
    await has(other, number);
    await shipping.makeRoom();
  }
  expect(await kept()).toEqual([]);
  expect(shipping.waiting(one.address)).toBe(0);
  expect(events).toEqual([]);
});

test('beyond the limit the oldest go that another repository has; the dead one gets a gap when it is back', async () => {
  const [one, other] = [await mortal('one'), await mortal('other')];
  ship([one, other]);
  await receive(1);
  await has(one, 1);
  await has(other, 1);
  other.dead = true;
  for (const number of [2, 3, 4, 5, 6]) {
    await receive(number);
    await has(one, number);
    await shipping.makeRoom();
  }
  expect(await kept()).toEqual([nameOf(4), nameOf(5), nameOf(6)]);
  expect(shipping.waiting(other.address)).toBe(3 * SIZE);
  expect(shipping.waiting(one.address)).toBe(0);
  expect(events).toContainEqual({ kind: 'dropped', segments: [nameOf(2)], addresses: [other.address] });

  other.dead = false;
  await has(other, 6);
  const gap = { timeline: 1, fromLsn: '0/2000000', toLsn: '0/4000000' };
  expect(await other.listGaps(SYSTEM)).toMatchObject([gap]);
  expect(events).toContainEqual(
    expect.objectContaining({ kind: 'gap', address: other.address, gap: expect.objectContaining(gap) }),
  );
  expect(await one.listGaps(SYSTEM)).toEqual([]);
  await vi.waitUntil(async () => {
    await shipping.makeRoom();
    return (await kept()).length === 0;
  }, WAIT);
});

test('what no repository has is never removed: nothing more is received until there is room', async () => {
  const one = await mortal('one');
  one.dead = true;
  ship([one]);
  for (const number of [1, 2, 3]) {
    await shipping.makeRoom();
    await receive(number);
  }
  await shipping.makeRoom();
  await receive(4);
  const refused = { kind: 'full', message: expect.stringContaining('CALCULAUD_BACKUP_SPOOL_GB') };
  await expect(shipping.makeRoom()).rejects.toMatchObject(refused);
  expect(await kept()).toHaveLength(4);

  one.dead = false;
  await has(one, 4);
  await vi.waitUntil(
    async () =>
      shipping
        .makeRoom()
        .then(() => true)
        .catch(() => false),
    WAIT,
  );
  expect(await kept()).toEqual([]);
  expect(await one.listGaps(SYSTEM)).toEqual([]);
});

test('the log waits for a repository that cannot be opened, and for the first one of all', async () => {
  const late = await mortal('late');
  ship([], [late.address]);
  await receive(1);
  await shipping.makeRoom();
  expect(existsSync(join(spool, SYSTEM, nameOf(1)))).toBe(true);
  expect(shipping.waiting(late.address)).toBe(SIZE);
  shipping.add(late);
  await has(late, 1);
  expect(await late.listGaps(SYSTEM)).toEqual([]);
});

test('a hole is found by a process that knows nothing of it, and is noted once', async () => {
  const one = await mortal('one');
  await one.putSegment({ systemId: SYSTEM, segment: nameOf(1) }, Buffer.alloc(SIZE, 1));
  await one.putPartialSegment({ systemId: SYSTEM, segment: nameOf(2) }, Buffer.alloc(4096, 2));
  await receive(3);
  ship([one]);
  await has(one, 3);
  const gap = { timeline: 1, fromLsn: '0/2001000', toLsn: '0/3000000' };
  expect(await one.listGaps(SYSTEM)).toMatchObject([gap]);
  await shipping.stop();
  await receive(4);
  ship([one]);
  await has(one, 4);
  expect(await one.listGaps(SYSTEM)).toHaveLength(1);
  expect(events.filter(({ kind }) => kind === 'gap')).toHaveLength(1);
});
