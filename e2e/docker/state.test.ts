import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Plan } from '../../apps/cli/src/deployment/journal.ts';
import { type Lease, withLease } from '../../apps/cli/src/deployment/lease.ts';
import { appendToLedger, readLedger } from '../../apps/cli/src/deployment/ledger-store.ts';
import { newMark, openRegister, type Register } from '../../apps/cli/src/deployment/register.ts';
import { type Docker, openDocker } from '../../apps/cli/src/host/docker.ts';
import { parseDockerAddress } from '../../apps/cli/src/host/docker-address.ts';
import { type DockerDaemon, dockerDaemon } from './daemon.ts';
import { docker as client } from './docker-command.ts';
import { openSite, type Site } from './state-deployers.ts';

const full = process.env['CALCULAUD_E2E'] === 'full';

let daemon: DockerDaemon;
let docker: Docker;
let stack: string;
let register: Register;
beforeAll(async () => {
  daemon = await dockerDaemon();
  docker = await openDocker(parseDockerAddress(daemon.host));
});
afterAll(async () => {
  await docker.close();
  await daemon.stop();
});
beforeEach(() => {
  stack = newStack();
  register = openRegister(docker.api, stack);
});
afterEach(async () => {
  for (const { ID } of await docker.api.configs({ name: ['state-test-'] })) await docker.api.removeConfig(ID);
});

function newStack(): string {
  return `state-test-${newMark().slice(0, 8)}`;
}
function planOf(id: string): Plan {
  const steps = ['pull', 'start', 'switch'].map((name) => ({ id: name, title: name, kind: name, data: {} }));
  return { id, command: `deploy ${id}`, summary: [`~ ${id}`], data: {}, steps };
}
async function append(lease: Lease, count: number): Promise<void> {
  for (let n = 1; n <= count; n += 1) {
    const at = new Date().toISOString();
    const content = { command: `scale ${n}`, startedAt: at, at, outcome: 'done' as const };
    await appendToLedger(lease, { ...content, plan: null, steps: [], figures: null, note: null });
  }
}
const me = { who: 'dana@laptop', command: 'scale' };

test('labels of a config change by compare-and-swap: of many writers none loses what another wrote', async () => {
  const writers = Array.from({ length: 8 }, async () => {
    for (let done = 0; done < 25; ) {
      const snapshot = await register.read();
      const { ledger } = snapshot.record;
      const record = { ...snapshot.record, ledger: { ...ledger, length: ledger.length + 1 } };
      const { applied } = await register.swap(snapshot, record, newMark());
      if (applied) done += 1;
    }
  });
  await Promise.all(writers);
  expect((await register.read()).record.ledger.length).toBe(8 * 25);
});

describe('two deployers', () => {
  let site: Site;
  beforeEach(() => {
    site = openSite(daemon.host);
  });
  afterEach(async () => {
    await site.close();
  });

  test(`are never at work together, in ${full ? 200 : 10} races`, async () => {
    const deployers = [await site.deployer(), await site.deployer()];
    const outcomes: string[] = [];
    for (let race = 0; race < (full ? 200 : 10); race += 1) {
      const answers = await Promise.all(
        deployers.map(async ({ order }, n) =>
          order({
            who: `deployer ${n}`,
            stack,
            plan: planOf(`${race}-${n}`),
            // Some end before the other looks again, some are still at it.
            workMs: race % 4 === 0 ? 1500 : 5 * (race % 7),
          }),
        ),
      );
      outcomes.push(answers.map((answer) => answer?.outcome).join(' '));
      expect(answers.some((answer) => answer?.outcome === 'worked')).toBe(true);
      expect(answers.every((answer) => answer?.outcome === 'worked' || answer?.outcome === 'held')).toBe(
        true,
      );
    }
    const refused = outcomes.filter((outcome) => outcome.includes('held')).length;
    console.log(
      `${outcomes.length} races of two deployers: ${refused} with one refused, the others one after the other`,
    );
    expect(site.collisions()).toBe('');
    // Both kinds of race took place: one after the other, and one refused.
    expect(new Set(outcomes).size).toBeGreaterThan(1);
    const { entries, problems } = await readLedger(register);
    expect(problems).toEqual([]);
    expect(entries).toHaveLength(outcomes.join(' ').split('worked').length - 1);
    // Nobody ever wrote with an older token after a newer one.
    const tokens = site.log().map((line) => Number(line.split(' ')[0]));
    expect(tokens).toEqual(tokens.toSorted((one, other) => one - other));
  });

  test('of which one stands still: the other takes over, and the first does nothing more when it goes on', async () => {
    const [first, second] = [await site.deployer(), await site.deployer()];
    const stopped = first.order({ who: 'first', stack, plan: planOf('p1'), pause: 'before work' });
    while ((await register.read()).record.journal?.steps[0]?.state !== 'begun') await sleep(20);
    const answer = await second.order({ who: 'second', stack, plan: planOf('p2') });
    expect(answer).toMatchObject({ outcome: 'worked', did: ['p1 done', 'p2 done'] });

    process.kill(first.pid, 'SIGCONT');
    expect(await stopped).toEqual({ outcome: 'lost' });
    expect(site.world()).toBe('p2 switch');
    expect(site.log().filter((line) => line.includes('first'))).toEqual([]);
    expect(site.collisions()).toBe('');
  });
});

describe('a deployer that is killed', () => {
  // Takes the lease, stores the plan, begins and ends three steps, writes the ledger, clears up and gives the lease back.
  const WRITES = 14;
  const points = [
    ...Array.from({ length: WRITES }, (_, n) => ({ name: `after write ${n + 1}`, dieAfterWrites: n + 1 })),
    { name: 'in the middle of a step', pause: 'die at work' as const },
  ];
  const cases = points.flatMap(({ name, ...how }, n) =>
    [{ undoOthers: false }, { undoOthers: true }]
      .filter((_, way) => full || (n + way) % 2 === 0)
      .map(({ undoOthers }) => ({
        name: `${name}, then ${undoOthers ? 'undone' : 'finished'}`,
        how,
        undoOthers,
      })),
  );
  /** Most of it is waiting for the silence to last long enough. */
  const AT_ONCE = 8;

  test('at any point leaves something that the next command finishes or undoes within 30 s, with no hand', async () => {
    const left = [...cases];
    const ends: Awaited<ReturnType<typeof killAndGoOn>>[] = [];
    const works = Array.from({ length: AT_ONCE }, async () => {
      for (let next = left.shift(); next; next = left.shift()) ends.push(await killAndGoOn(next));
    });
    await Promise.all(works);
    expect(ends).toHaveLength(cases.length);
    const times = ends.map(({ ms }) => ms / 1000);
    console.log(
      `${ends.length} deployers killed; the next command was done after ${Math.min(...times)} to ${Math.max(...times)} s`,
    );
    expect(ends.map(({ seen }) => seen)).toEqual(ends.map(({ wanted }) => wanted));
  });

  async function killAndGoOn({ name, how, undoOthers }: (typeof cases)[number]) {
    const site = openSite(daemon.host);
    const own = openRegister(docker.api, newStack());
    try {
      const [victim, next] = [await site.deployer(), await site.deployer()];
      const killed = await victim.order({ who: 'victim', stack: own.stack, plan: planOf('p1'), ...how });
      const { journal, ledger } = (await own.read()).record;
      const answer = await next.order({ who: 'next', stack: own.stack, undoOthers });

      const { record } = await own.read();
      const { entries, problems } = await readLedger(own);
      const seen = {
        name,
        killed,
        next: answer?.outcome === 'worked' && answer.ms < 30_000 ? 'within 30 s' : answer,
        holder: record.lease.holder,
        journal: record.journal,
        entries: entries.map(({ plan, outcome }) => `${plan?.id} ${outcome}`),
        problems,
        world: site.world(),
        collisions: site.collisions(),
      };
      const undone = undoOthers && journal !== null;
      const touched = journal?.steps.some(({ state }) => state !== 'pending') ?? false;
      const nothingBegun = journal === null && ledger.length === 0;
      const wanted = {
        name,
        killed: undefined,
        next: 'within 30 s',
        holder: null,
        journal: null,
        entries: nothingBegun ? [] : [undone ? 'p1 rolled back' : 'p1 done'],
        problems: [],
        world: nothingBegun || (undone && !touched) ? '' : undone ? 'untouched' : 'p1 switch',
        collisions: '',
      };
      return { seen, wanted, ms: answer?.outcome === 'worked' ? answer.ms : Number.NaN };
    } finally {
      await site.close();
    }
  }
});

describe('the ledger', () => {
  const namesOf = async (): Promise<string[]> =>
    (await docker.api.configs({ name: [`${stack}.`] })).map(({ Spec }) => Spec.Name).toSorted();

  test('stays within bounds and provable, however many entries it gets', async () => {
    const count = full ? 500 : 230;
    await withLease(register, me, async (lease) => append(lease, count));
    const { entries, problems } = await readLedger(register);
    expect(problems).toEqual([]);
    expect(entries.map(({ n }) => n)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    expect((await namesOf()).length).toBeLessThan(110);
  });

  test('that somebody changed is found, by whatever way', async () => {
    await withLease(register, me, async (lease) => append(lease, 6));
    const problemsOf = async (): Promise<string[]> =>
      (await readLedger(register)).problems.map(({ kind, n }) => `${kind} ${n}`);
    const nameOf = async (n: number): Promise<string> => {
      const name = (await namesOf()).find((candidate) => candidate.includes(`.ledger.00000${n}-`));
      return name ?? 'missing';
    };
    expect(await problemsOf()).toEqual([]);

    const second = await docker.api.config(await nameOf(2));
    await client(daemon.host, 'config', 'rm', await nameOf(2));
    expect(await problemsOf()).toEqual(['missing 2']);

    const text = Buffer.from(second?.Spec.Data ?? '', 'base64').toString('utf8');
    const forged = text.replace('dana@laptop', 'nobody@home');
    expect(forged).not.toBe(text);
    await docker.api.createConfig({ name: second?.Spec.Name ?? '', data: forged });
    expect(await problemsOf()).toEqual(['altered 2', 'missing 2']);

    await client(daemon.host, 'config', 'rm', await nameOf(6));
    expect(await problemsOf()).toContain('missing 6');
  });

  test('outlives the loss of the record', async () => {
    await withLease(register, me, async (lease) => append(lease, 3));
    await docker.api.removeConfig(`${stack}.state`);
    await withLease(register, me, async (lease) => append(lease, 1));
    const { entries, problems } = await readLedger(register);
    expect(problems).toEqual([]);
    expect(entries).toHaveLength(4);
  });
});
