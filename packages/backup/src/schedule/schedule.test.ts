import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readLastRuns, type Task, writeLastRuns } from './last-runs.ts';
import { type Schedule, type ScheduleEvent, type ScheduleOptions, startSchedule } from './schedule.ts';

const HOUR_MS = 3_600_000;

let folder: string;
let path: string;
let now: Date;
let events: ScheduleEvent[];
let schedules: Schedule[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-schedule-'));
  path = join(folder, 'last-runs.json');
  now = new Date('2026-12-01T06:00:00Z');
  events = [];
  schedules = [];
});

afterEach(async () => {
  await Promise.all(schedules.map(async (schedule) => schedule.stop()));
  rmSync(folder, { recursive: true });
});

const pass = (hours: number) => {
  now = new Date(now.getTime() + hours * HOUR_MS);
};
const told = () => events.map((event) => ('task' in event ? `${event.task} ${event.kind}` : event.kind));

async function start(work: ScheduleOptions['work'], more: Partial<ScheduleOptions> = {}): Promise<Schedule> {
  const onEvent = (event: ScheduleEvent) => events.push(event);
  const schedule = await startSchedule({ path, work, seed: 'a test', onEvent, now: () => now, ...more });
  schedules.push(schedule);
  return schedule;
}

/** Work that goes on until it is told how to end. */
function held() {
  let begun = 0;
  let end: { readonly well: () => void; readonly badly: (error: Error) => void } | undefined;
  const work = async () => {
    begun += 1;
    await new Promise<void>((resolve, reject) => {
      end = { well: resolve, badly: reject };
    });
  };
  return {
    work,
    begun: () => begun,
    endWell: () => end?.well(),
    endBadly: (words: string) => end?.badly(new Error(words)),
  };
}

/** Until what was begun by itself has ended: it is joined. */
async function ended(schedule: Schedule, task: Task): Promise<void> {
  await schedule.runNow(task).catch(() => undefined);
}

test('at the first start a base backup runs, then what needs one, and each again when its time has come', async () => {
  const order: Task[] = [];
  const noted = (task: Task) => async () => {
    order.push(task);
  };
  let tellPruned = (): void => undefined;
  const pruned = new Promise<void>((resolve) => {
    tellPruned = resolve;
  });
  let tellBackedUp = (): void => undefined;
  const backedUp = new Promise<void>((resolve) => {
    tellBackedUp = resolve;
  });
  const schedule = await start(
    { base: noted('base'), verification: noted('verification'), prune: noted('prune') },
    {
      onEvent: (event) => {
        if (event.kind !== 'succeeded') return;
        if (event.task === 'base') tellBackedUp();
        if (event.task === 'prune') tellPruned();
      },
    },
  );
  await backedUp;
  await turn();
  expect(order).toEqual(['base']);
  pass(0.1);
  schedule.look();
  await pruned;
  // One that has told of its end is over with the turn.
  await turn();
  expect(order).toEqual(['base', 'verification', 'prune']);
  expect(schedule.nextAt('drill')).toBeUndefined();
  pass(22);
  schedule.look();
  expect(order).toHaveLength(3);
  pass(2);
  schedule.look();
  expect(order).toHaveLength(6);
});

test('after a month of downtime each task runs once', async () => {
  let runs = 0;
  const work = { base: async () => void (runs += 1) };
  const first = await start(work);
  await first.stop();
  expect(runs).toBe(1);
  pass(720);
  const second = await start(work);
  for (let count = 0; count < 5; count += 1) second.look();
  await second.stop();
  expect(runs).toBe(2);
  const third = await start(work);
  await third.stop();
  expect(runs).toBe(2);
});

test('there are never two of the same kind: who asks for another joins the first', async () => {
  const base = held();
  const schedule = await start({ base: base.work });
  pass(100);
  schedule.look();
  const joined = [schedule.runNow('base'), schedule.runNow('base')];
  expect(base.begun()).toBe(1);
  base.endWell();
  await Promise.all(joined);
  expect(told()).toEqual(['base started', 'base succeeded']);
});

test('one that hangs beyond its limit is told, holds up no other, and is not begun beside itself', async () => {
  const base = held();
  let exports = 0;
  let tellLimit = (): void => undefined;
  const limited = new Promise<void>((resolve) => {
    tellLimit = resolve;
  });
  const schedule = await start(
    { base: base.work, export: async () => void (exports += 1) },
    {
      limit: () => 20,
      onEvent: (event) => {
        events.push(event);
        if (event.kind === 'failed') tellLimit();
      },
    },
  );
  await limited;
  expect(events.find(({ kind }) => kind === 'failed')).toMatchObject({
    task: 'base',
    words: 'It was ended after its limit of 1 minutes.',
  });
  pass(30);
  schedule.look();
  expect(exports).toBe(1);
  expect(base.begun()).toBe(1);
  // Too late is not well.
  base.endWell();
  await ended(schedule, 'base');
  expect(schedule.lastRuns().get('base')).toMatchObject({ succeeded: null, failures: 1, durationMs: 20 });
  schedule.look();
  expect(base.begun()).toBe(2);
  base.endWell();
});

test('a failure is told and tried again after a while', async () => {
  const base = held();
  const schedule = await start({ base: base.work });
  base.endBadly('the store is full');
  await ended(schedule, 'base');
  expect(events.at(-1)).toMatchObject({ kind: 'failed', task: 'base', words: 'the store is full' });
  schedule.look();
  expect(base.begun()).toBe(1);
  pass(0.1);
  schedule.look();
  expect(base.begun()).toBe(2);
  base.endWell();
  await ended(schedule, 'base');
  expect(schedule.lastRuns().get('base')).toMatchObject({ failures: 0 });
});

test('what was under way when the process was killed has failed, and is not begun over and over', async () => {
  const since = now.toISOString();
  const killed = { succeeded: null, durationMs: null, endedAt: null, failures: 0, runningSince: since };
  await writeLastRuns(path, new Map([['base', killed]]), now);
  const base = held();
  const schedule = await start({ base: base.work });
  expect(told()).toEqual(['base failed']);
  expect(schedule.nextAt('base')?.getTime()).toBe(now.getTime() + 5 * 60_000);
  expect(base.begun()).toBe(0);
});

test('a run that the end of the service cuts off begins again at the next start', async () => {
  const waiting = async (signal: AbortSignal) =>
    new Promise<void>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('cut off')), { once: true });
    });
  const first = await start({ base: waiting });
  await first.stop();
  await expect(first.runNow('base')).rejects.toThrow('is being stopped');
  const base = held();
  await start({ base: base.work });
  expect(base.begun()).toBe(1);
  base.endWell();
});

test.each([
  '',
  '{',
  'null',
  '{"format":2,"tasks":{}}',
  '{"format":1,"since":"2026-12-01T06:00:00Z","tasks":{"base":{"failures":-1}}}',
])('a damaged file (%j) is told, and everything runs once more', async (content) => {
  writeFileSync(path, content);
  let runs = 0;
  const schedule = await start({ base: async () => void (runs += 1) });
  await schedule.stop();
  expect(events[0]).toMatchObject({ kind: 'trouble', words: expect.stringContaining(path) });
  expect(runs).toBe(1);
  expect((await readLastRuns(path)).runs.get('base')?.succeeded).not.toBeNull();
});

test('a file that cannot be written is told, and keeps nothing from running', async () => {
  // A file where its folder should be.
  writeFileSync(join(folder, 'in the way'), '');
  let runs = 0;
  const schedule = await start(
    { base: async () => void (runs += 1) },
    { path: join(folder, 'in the way', 'last-runs.json') },
  );
  await schedule.stop();
  expect(runs).toBe(1);
  expect(events.find(({ kind }) => kind === 'trouble')).toMatchObject({
    words: expect.stringContaining('in the way'),
  });
});

test('a clock that was moved costs one run too many, and none too few', async () => {
  let runs = 0;
  const schedule = await start({ base: async () => void (runs += 1) });
  await ended(schedule, 'base');
  const before = runs;
  pass(-24 * 365);
  schedule.look();
  await ended(schedule, 'base');
  const backwards = runs;
  schedule.look();
  expect(runs).toBe(backwards);
  pass(24 * 365 * 2);
  schedule.look();
  schedule.look();
  expect(runs).toBe(backwards + 1);
  expect(backwards).toBeGreaterThan(before);
});

test('the file is whole whenever it is read', async () => {
  const schedule = await start({ base: async () => undefined, export: async () => undefined });
  for (let count = 0; count < 20; count += 1) {
    pass(30);
    schedule.look();
    const { damaged } = await readLastRuns(path);
    expect(damaged).toBeUndefined();
  }
  await schedule.stop();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ format: 1 });
});
