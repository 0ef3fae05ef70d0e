import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseLsn } from '@calculaud/backup/postgres/lsn';
import { newKeyRing } from '@calculaud/backup/repository/keyring';
import type { BackupManifest } from '@calculaud/backup/repository/manifest';
import {
  createRepository,
  type OpenedRepository,
  openRepository,
} from '@calculaud/backup/repository/open-repository';
import { retentionPolicy } from '@calculaud/backup/retention/policy';
import { prunable } from '@calculaud/backup/retention/prunable';
import { applyPrune, planPrune } from '@calculaud/backup/retention/prune';
import {
  DAY_MS,
  SYSTEM,
  segmentName,
  storeBackup,
  storeSegment,
  verified,
} from '@calculaud/backup/retention/testing/backups';
import { type MemoryStore, memoryStore } from '@calculaud/backup/retention/testing/memory-store';

const HOUR_MS = DAY_MS / 24;
/** Short, so that a few hundred hours have everything in them. */
const policy = retentionPolicy.parse({ pointInTimeDays: 3, daily: 2, weekly: 1, monthly: 1, yearly: 1 });
const WINDOW_MS = 3 * DAY_MS;
/** A run takes a third of a second. 400 of each found nothing, and every one of six faults that were put in was found by 25. */
const RUNS = process.env['CALCULAUD_E2E'] === 'full' ? 400 : 25;
const SETTINGS = { numRuns: RUNS };
const START = Date.parse('2026-03-01T00:00:00Z');

type Step =
  | { readonly kind: 'backup'; readonly contents: readonly string[]; readonly verified: boolean }
  | { readonly kind: 'killed-backup'; readonly contents: readonly string[] }
  /** What a person did by hand. */
  | { readonly kind: 'delete'; readonly which: number }
  | { readonly kind: 'prune'; readonly killedAfter: number | undefined }
  | { readonly kind: 'pass'; readonly hours: number }
  | { readonly kind: 'clock'; readonly hours: number };

const contents = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), {
  minLength: 1,
  maxLength: 4,
});
const backupStep = fc.record({
  kind: fc.constant('backup' as const),
  contents,
  // Most of them, as in life.
  verified: fc.nat(3).map((number) => number > 0),
});
const pruneStep = fc.record({
  kind: fc.constant('prune' as const),
  killedAfter: fc.option(fc.nat(40), { nil: undefined }),
});
const passStep = fc.record({ kind: fc.constant('pass' as const), hours: fc.integer({ min: 1, max: 60 }) });
const clockStep = fc.record({
  kind: fc.constant('clock' as const),
  hours: fc.integer({ min: -400, max: 400 }),
});
const steps = (...more: readonly fc.Arbitrary<Step>[]): fc.Arbitrary<readonly Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 6, arbitrary: backupStep },
      { weight: 6, arbitrary: pruneStep },
      { weight: 8, arbitrary: passStep },
      ...more.map((arbitrary) => ({ weight: 1, arbitrary })),
    ),
    { minLength: 10, maxLength: 40 },
  );
const killedBackup = fc.record({ kind: fc.constant('killed-backup' as const), contents });
const deleteStep = fc.record({ kind: fc.constant('delete' as const), which: fc.nat(20) });

/** The repository, the truth about what was written to it, and the clock of its host. */
class World {
  readonly store: MemoryStore = memoryStore();
  readonly #keyring = newKeyRing();
  opened: OpenedRepository | undefined;
  /** Hours that have really passed; one segment is written in each. */
  hour = 0;
  /** By how many hours the clock is wrong. */
  wrongBy = 0;
  /** What the clock said as each segment was written. */
  readonly written: Date[] = [];
  /** Every backup that was ever finished, with its first segment. */
  readonly made: { readonly manifest: BackupManifest; readonly segment: number }[] = [];
  readonly everVerified = new Set<string>();
  /** No prune has seen a window that began later. */
  latestWindowStart = 0;

  get now(): Date {
    return new Date(START + (this.hour + this.wrongBy) * HOUR_MS);
  }

  async start(): Promise<void> {
    this.store.now = this.now;
    this.opened = await createRepository(this.store, this.#keyring);
  }

  get repository(): OpenedRepository {
    if (!this.opened) throw new Error('not started');
    return this.opened;
  }

  /** As a new process would. */
  async restart(): Promise<void> {
    this.store.revive();
    this.opened = await openRepository(this.store, this.#keyring);
  }

  async passHours(hours: number): Promise<void> {
    for (let count = 0; count < hours; count += 1) {
      this.store.now = this.now;
      await storeSegment(this.repository, this.hour);
      this.written.push(this.now);
      this.hour += 1;
    }
    this.store.now = this.now;
  }

  async perform(step: Step): Promise<void> {
    switch (step.kind) {
      case 'pass':
        return this.passHours(step.hours);
      case 'clock':
        this.wrongBy = step.hours;
        return undefined;
      case 'killed-backup':
        for (const text of step.contents) {
          await this.repository.putContent(
            (async function* content() {
              yield Buffer.from(text);
            })(),
          );
        }
        return this.restart();
      case 'backup': {
        const segment = this.hour;
        await this.passHours(2);
        const { contents } = step;
        const manifest = await storeBackup(this.repository, { finishedAt: this.now, segment, contents });
        this.made.push({ manifest, segment });
        if (step.verified) {
          await verified(this.repository, manifest.id);
          this.everVerified.add(manifest.id);
        }
        return undefined;
      }
      case 'delete': {
        // Only what no second of the window can need: people are told so before they do it.
        const removable = (await this.plan()).backups.filter(({ fate }) => fate !== 'keep');
        const chosen = removable[step.which % Math.max(removable.length, 1)];
        if (chosen) await this.store.delete(`backups/${chosen.id}`);
        return undefined;
      }
      case 'prune':
        return this.prune(step.killedAfter);
    }
  }

  async plan() {
    return planPrune(prunable(this.repository), policy, { now: this.now });
  }

  async prune(killedAfter: number | undefined): Promise<void> {
    const plan = await this.plan();
    this.latestWindowStart = Math.max(this.latestWindowStart, this.now.getTime() - WINDOW_MS);
    if (killedAfter !== undefined) this.store.killAfter(killedAfter);
    const applying = applyPrune(prunable(this.repository), plan, { now: this.now, who: 'the model' });
    await applying.catch((error: unknown) => {
      if (!(error instanceof Error && error.message === 'killed')) throw error;
    });
    await this.restart();
  }

  async manifests(): Promise<readonly BackupManifest[]> {
    return (await this.repository.listManifests()).map((manifest) => {
      if ('unreadable' in manifest) throw new Error(manifest.unreadable);
      return manifest;
    });
  }

  async assertNoChunkIsMissing(): Promise<void> {
    const keys = new Set(this.store.keys());
    for (const { id, files, postgresManifest } of await this.manifests()) {
      const chunks = [...postgresManifest.chunks, ...files.flatMap((file) => file.chunks)];
      const missing = chunks.find(({ name }) => !keys.has(`chunks/${name.slice(0, 2)}/${name}`));
      if (missing) throw new Error(`the chunk ${missing.name} of ${id} is missing`);
    }
  }

  /**
   * Every segment of the window that could be restored when it was written still can be: there is a backup that stops before
   * it, and all of the log between both. `inWindow` says which ones are meant.
   */
  async assertRestorable(inWindow: (time: Date, hour: number) => boolean): Promise<void> {
    const keys = new Set(this.store.keys());
    const has = (number: number) => keys.has(`systems/${SYSTEM}/wal/00000001/${segmentName(number)}`);
    const live = (await this.manifests()).map(({ startLsn }) => Number(parseLsn(startLsn) >> 24n));
    const first = Math.min(...this.made.map(({ segment }) => segment));
    for (const [number, time] of this.written.entries()) {
      if (number < first + 2 || !inWindow(time, number)) continue;
      const base = Math.max(...live.filter((segment) => segment + 1 < number));
      if (base < 0) throw new Error(`no backup leads to the segment ${number}`);
      for (let each = number; each >= base; each -= 1) {
        if (!has(each)) throw new Error(`between ${base} and ${number} the segment ${each} is missing`);
      }
    }
    // Each backup that is there can be opened, whatever its age.
    const unopened = live.find((start) => !has(start) || !has(start + 1));
    if (unopened !== undefined) throw new Error(`log of the backup in ${unopened} is missing`);
  }

  /** What the clock says is in the window, less what an earlier and later window had given up. */
  async assertWindowIsRestorable(givenUpBefore = 0): Promise<void> {
    const from = Math.max(givenUpBefore, this.now.getTime() - WINDOW_MS);
    await this.assertRestorable((time) => time.getTime() >= from);
  }

  /** What is really in the window. */
  async assertTrueWindowIsRestorable(): Promise<void> {
    await this.assertRestorable((_, hour) => hour >= this.hour - WINDOW_MS / HOUR_MS);
  }
}

async function run(sequence: readonly Step[], check: (world: World) => Promise<void>): Promise<World> {
  const world = new World();
  await world.start();
  await perform(world, sequence, check);
  return world;
}

async function perform(
  world: World,
  sequence: readonly Step[],
  check: (world: World) => Promise<void>,
): Promise<void> {
  for (const step of sequence) {
    await world.perform(step);
    await check(world);
    if (step.kind === 'pass' || step.kind === 'clock') continue;
    await world.assertNoChunkIsMissing();
    const left = (await world.manifests()).filter(({ id }) => world.everVerified.has(id)).length;
    expect(left).toBeGreaterThanOrEqual(Math.min(2, world.everVerified.size));
  }
}

test('whatever happens, no backup loses a chunk, the window stays restorable and two verified backups stay', async () => {
  await fc.assert(
    fc.asyncProperty(steps(killedBackup, deleteStep), async (sequence) => {
      await run(sequence, async (world) => world.assertWindowIsRestorable());
    }),
    SETTINGS,
  );
}, 1_500_000);

test('the same when the clock jumps, for everything that no window seen so far has given up', async () => {
  await fc.assert(
    fc.asyncProperty(steps(killedBackup, clockStep, clockStep), async (sequence) => {
      await run(sequence, async (world) => world.assertWindowIsRestorable(world.latestWindowStart));
    }),
    SETTINGS,
  );
}, 1_500_000);

test('a clock that is wrong for less than 72 hours costs nothing, however wrong it is', async () => {
  const fiveHours = fc.constant({ kind: 'pass' as const, hours: 5 });
  const meanwhile = fc.array(fc.oneof(backupStep, pruneStep, fiveHours), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      steps(killedBackup),
      fc.integer({ min: -5000, max: 5000 }),
      meanwhile,
      steps(killedBackup),
      async (before, wrongBy, during, after) => {
        const world = await run(before, async () => undefined);
        await perform(world, [{ kind: 'clock', hours: wrongBy }, ...during], async () =>
          world.assertTrueWindowIsRestorable(),
        );
        await perform(world, [{ kind: 'clock', hours: 0 }, ...after], async () =>
          world.assertTrueWindowIsRestorable(),
        );
      },
    ),
    SETTINGS,
  );
}, 1_500_000);

test('a second run does nothing, and one after a kill ends what the first began', async () => {
  await fc.assert(
    fc.asyncProperty(steps(killedBackup), fc.nat(60), async (sequence, killedAfter) => {
      const world = await run(sequence, async () => undefined);
      await world.prune(undefined);
      await world.passHours(73);
      const control = new Set(await removedBy(world));
      await world.prune(killedAfter);
      await world.prune(undefined);
      const left = new Set(world.store.keys());
      expect([...control].filter((key) => left.has(key))).toEqual([]);
      const plan = await world.plan();
      const outcome = await applyPrune(prunable(world.repository), plan, { now: world.now, who: 'again' });
      expect(outcome).toMatchObject({
        marked: 0,
        unmarked: 0,
        removed: { backups: [], segments: 0, chunks: 0, bytes: 0 },
      });
      expect(new Set(world.store.keys().filter((key) => !key.startsWith('leases/')))).toEqual(left);
    }),
    SETTINGS,
  );
}, 1_500_000);

async function removedBy(world: World): Promise<readonly string[]> {
  const plan = await world.plan();
  return plan.backups.filter(({ fate }) => fate === 'remove').map(({ id }) => `backups/${id}`);
}

test('the model can fail: chunks taken by hand are noticed', async () => {
  const world = new World();
  await world.start();
  await world.perform({ kind: 'backup', contents: ['a'], verified: true });
  await world.assertNoChunkIsMissing();
  const [key = ''] = world.store.keys().filter((each) => each.startsWith('chunks/'));
  await world.store.delete(key);
  await expect(world.assertNoChunkIsMissing()).rejects.toThrow('is missing');
  await world.passHours(5);
  await world.assertWindowIsRestorable();
  await world.store.delete(`systems/${SYSTEM}/wal/00000001/${segmentName(3)}`);
  await expect(world.assertWindowIsRestorable()).rejects.toThrow('the segment 3 is missing');
});
