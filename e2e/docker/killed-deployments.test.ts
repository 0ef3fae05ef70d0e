import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openRegister } from '../../apps/cli/src/deployment/register.ts';
import { releaseOf } from '../../apps/cli/src/deployment/release-store.ts';
import { loadEnvironment } from '../../apps/cli/src/environment/file.ts';
import { type Cluster, eventsIn, openCluster } from '../../apps/cli/src/host/cluster.ts';
import { apiService, backendName, besideLabel, jobLabel } from '../../apps/cli/src/stack/names.ts';
import {
  type Colour,
  COLOURS,
  otherColour,
  type ReleaseState,
} from '../../apps/cli/src/stack/release-state.ts';
import { calculaud } from '../../apps/cli/src/testing/command-line.ts';
import { full } from '../system.ts';
import { dockerDaemon } from './daemon.ts';
import { images } from './images.ts';
import { type Ended, runCommand, startCommand, type Whom } from './running-command.ts';
import { type StackEnvironment, stackEnvironment } from './stack-environment.ts';
import { startTraffic, type Traffic } from './traffic.ts';

/**
 * `kill -9` of a command that changes an environment, at each of its steps: the next command finishes or undoes it by
 * itself within 30 s of its start, and users notice nothing of any of it.
 *
 * Finished or undone: which of the two is decided by what is left (`endingOf`). A judgement that was not made is not made
 * up for, since it takes as long as it takes: such a deployment is undone. `deploy resume` is the exception, because it is
 * told to go on: it makes the judgements that are left, and is bound to 30 s only where none is.
 */

const https = 22_443;
const rate = 10;
const LIMIT_SECONDS = 30;
/** For a whole deployment of a version that is judged from its first gate on. */
const JUDGING_SECONDS = 120;
/** The same code under three names, so that there is always one that is neither running nor kept. */
const versions = ['calculaud-a:test', 'calculaud-b:test', 'calculaud-c:test'] as const;

type Moment = 'begun' | 'middle' | 'done';
type Next = 'deploy' | 'abort' | 'resume';
const COMMANDS = {
  'blue-green': ['migrate', 'smoke', 'release', 'gate', 'switch', 'watch', 'release'],
  canary: ['migrate', 'smoke', 'release', 'gate', 'canary', 'canary', 'switch', 'watch', 'release'],
  rolling: ['migrate', 'smoke', 'release', 'gate', 'release', 'watch', 'release'],
  rollback: ['switch', 'watch', 'release'],
  scale: ['release'],
} as const;
type Command = keyof typeof COMMANDS;

interface Kill {
  readonly command: Command;
  /** Counted from 1, as plans do. */
  readonly step: number;
  readonly moment: Moment;
  readonly whom: Whom;
  readonly next: Next;
  /** The next command is killed, too, when it has begun to undo; the one after it ends both. */
  readonly nextToo?: boolean;
}

/** One for each kind of thing that a killed command can leave: a job, probes and journeys, moved traffic, a half-updated worker. */
const CHOSEN: readonly Kill[] = [
  { command: 'blue-green', step: 1, moment: 'middle', whom: 'its terminal', next: 'abort' },
  { command: 'scale', step: 1, moment: 'begun', whom: 'the command', next: 'deploy' },
  { command: 'blue-green', step: 4, moment: 'middle', whom: 'the command', next: 'deploy' },
  { command: 'blue-green', step: 5, moment: 'done', whom: 'its terminal', next: 'abort', nextToo: true },
  { command: 'blue-green', step: 7, moment: 'begun', whom: 'the command', next: 'resume' },
  { command: 'rollback', step: 1, moment: 'done', whom: 'the command', next: 'deploy' },
];

/** Each step of each command at its begin, where it takes a while in its middle, and at its end. */
function everyKill(): readonly Kill[] {
  const points = (['blue-green', 'canary', 'rolling', 'rollback', 'scale'] as const).flatMap((command) =>
    COMMANDS[command].flatMap((kind, index) =>
      (kind === 'switch' ? (['begun', 'done'] as const) : (['begun', 'middle', 'done'] as const))
        // Up to the gate the strategies do the same.
        .filter(() => command === 'blue-green' || kind !== COMMANDS['blue-green'][index] || index >= 4)
        .map((moment) => ({ command, step: index + 1, moment })),
    ),
  );
  return points.map((point, n) => ({
    ...point,
    whom: n % 2 === 0 ? 'the command' : 'its terminal',
    next: (['deploy', 'abort', 'resume'] as const)[n % 3] ?? 'deploy',
  }));
}

/** What is left behind by the others of them is left by one of these, too; four minutes less. */
const SHORT = CHOSEN.filter(
  ({ command, step }) =>
    command === 'scale' || command === 'rollback' || (command === 'blue-green' && step === 4),
);
const kills = full ? [...CHOSEN, ...everyKill()] : SHORT;
if (!full) console.log(`Only with --full: kills at every other step`);

let environment: StackEnvironment;
let cluster: Cluster;
let traffic: Traffic;
const ends: { readonly seconds: number; readonly judged: boolean }[] = [];

beforeAll(async () => {
  const { host } = await dockerDaemon();
  environment = await stackEnvironment(host, 'killed', {
    https,
    replicas: { api: 1 },
    strategy: {
      watch: '3s',
      canary: {
        steps: [
          { percent: 10, hold: '2s' },
          { percent: 50, hold: '2s' },
        ],
      },
    },
  });
  for (const version of versions) await environment.docker('tag', images.app, version);
  expectEnd(await runCommand(['init', '--file', environment.file, '--self-signed', '--yes']));
  // The first one is kept beside the second.
  for (const version of versions.slice(0, 2)) expectEnd(await runCommand(commandLine('blue-green', version)));
  cluster = await openCluster(loadEnvironment({ file: environment.file, name: undefined }));
  traffic = await startTraffic(environment, { https, rate });
});
afterAll(async () => {
  await cluster.close();
  await environment.remove();
});

function options(): readonly string[] {
  return ['--file', environment.file, '--yes'];
}

function commandLine(command: Command, image: string): readonly string[] {
  if (command === 'rollback') return ['rollback', ...options()];
  if (command === 'scale') return ['scale', 'api=2', ...options()];
  return ['deploy', '--image', image, '--strategy', command, ...options()];
}

function expectEnd({ exitCode, stderr }: Ended): void {
  expect({ exitCode, said: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, said: '' });
}

/** What the store of the Swarm says of the stack. */
async function record() {
  return (await openRegister(cluster.manager.api, environment.stack).read()).record;
}

/** Programs of deployments that run beside the gateway. */
async function programs(): Promise<readonly string[]> {
  const ids = await environment.docker('ps', '--quiet', '--filter', `label=${besideLabel(cluster.config)}`);
  return ids.split('\n').filter(Boolean);
}

/** The containers of a service that were made of an image, or that are about to be. */
async function containersOf(service: string, image: string): Promise<number> {
  const filter = ['--filter', `label=com.docker.swarm.service.name=${environment.stack}_${service}`];
  const lines = await environment.docker('ps', ...filter, '--format', '{{.Image}}');
  return lines.split('\n').filter((line) => line === image).length;
}

/** A step is in its middle as soon as it can be seen from outside. */
async function untilItsMiddle({ command, step }: Kill, before: ReleaseState, image: string): Promise<void> {
  const kind = COMMANDS[command][step - 1] ?? '';
  const last = step === COMMANDS[command].length;
  const service = last ? 'worker' : `api-${step === 3 ? otherColour(before.active) : before.active}`;
  const looks: Readonly<Record<string, () => Promise<boolean>>> = {
    migrate: async () => {
      const jobs = ['service', 'ls', '--quiet', '--filter', `label=${jobLabel(cluster.config)}`];
      return (await environment.docker(...jobs)) !== '';
    },
    smoke: async () => (await programs()).length > 0,
    // The prober, the comparison, and journeys through each colour.
    gate: async () => (await programs()).length >= 4,
    canary: async () => (await trafficNow()).running.canary > 0,
    watch: async () => (await programs()).length >= 2,
    release: async () =>
      command === 'scale'
        ? (await environment.containers(`api-${before.active}`)).length > 1
        : (await containersOf(service, image)) > 0,
  };
  const look = looks[kind];
  if (!look) throw new Error(`nothing is known of the middle of ${kind}`);
  await environment.until(`the middle of ${kind}`, 'gateway', async () => (await look()) || undefined);
}

async function trafficNow() {
  const gateway = await cluster.gateway();
  try {
    return await gateway.traffic();
  } finally {
    await gateway.close();
  }
}

/** As the history has it. */
function commandIn(command: Command, image: string): string {
  return command === 'rollback' ? command : command === 'scale' ? 'scale api=2' : `deploy ${image}`;
}

/** What becomes of it, by the word of the next command, or else by what is left. */
function endsAs({ command, step, moment, next }: Kill): 'done' | 'rolled back' {
  if (next !== 'deploy') return next === 'resume' ? 'done' : 'rolled back';
  const steps = COMMANDS[command].length;
  const done = moment === 'done' ? step : step - 1;
  const isFinished = command === 'rollback' || done >= (command === 'scale' ? steps : steps - 1);
  return isFinished ? 'done' : 'rolled back';
}

/** It is told to go on, and judgements are left. */
function hasToJudge({ command, step, moment, next }: Kill): boolean {
  const left = COMMANDS[command].slice(moment === 'done' ? step : step - 1);
  return next === 'resume' && left.some((kind) => ['gate', 'canary', 'watch'].includes(kind));
}

const planEvent = z.looseObject({ id: z.string(), steps: z.array(z.looseObject({ kind: z.string() })) });
const entryEvent = z.looseObject({
  event: z.literal('entry'),
  command: z.string(),
  outcome: z.string(),
  note: z.string().nullable(),
  plan: z.looseObject({ id: z.string() }).nullable(),
});

async function killAndGoOn(kill: Kill, name: string): Promise<void> {
  const { command, step, moment, whom, next, nextToo = false } = kill;
  const before = releaseOf(await record());
  const running = before[before.active]?.image ?? '';
  const kept = before[otherColour(before.active)]?.image;
  // Neither runs yet, so that it has to be started, and what was kept has to come back when it is undone.
  const fresh = versions.find((version) => version !== running && version !== kept) ?? '';
  const image = command === 'rollback' ? (kept ?? '') : fresh;
  traffic.mark(name);

  const victim = startCommand(commandLine(command, image));
  const plan = planEvent.parse(await victim.event(({ event }) => event === 'plan'));
  expect(plan.steps.map(({ kind }) => kind)).toEqual(COMMANDS[command]);
  const wanted = moment === 'done' ? 'step_done' : 'step_begun';
  await victim.event((event) => event.event === wanted && event.step === String(step));
  if (moment === 'middle') await untilItsMiddle(kill, before, image);
  await victim.kill(whom);
  expect((await record()).journal).toMatchObject({ direction: 'apply' });

  if (nextToo) {
    const second = startCommand(['deploy', 'abort', ...options()]);
    await second.event(({ event }) => event === 'step_undoing');
    await second.kill(whom);
  }
  const outcome = nextToo ? 'rolled back' : endsAs(kill);
  const after = outcome === 'done' && command !== 'scale' ? image : running;
  const last = next === 'deploy' || nextToo ? ['--image', after] : [next];
  const ended = await runCommand(['deploy', ...last, ...options()]);
  expectEnd(ended);
  // A deployment has its own wish besides, which comes after.
  const { seconds } = ended.events.find(({ event }) => event === 'unfinished_ended') ?? ended;
  ends.push({ seconds, judged: hasToJudge(kill) });
  console.log(`${name}: ${outcome}, ${seconds.toFixed(1)} s after the start of the next command`);
  // One that is too late shows with what it was busy.
  const limit = hasToJudge(kill) ? JUDGING_SECONDS : LIMIT_SECONDS;
  const busyWith = ended.events.map(
    (event) => `${event.seconds.toFixed(1)} s: ${event.event} ${event.step ?? ''}`,
  );
  expect(seconds < limit ? [] : busyWith).toEqual([]);
  // Everything that it had started has ended without anybody's help.
  expect(ended.stderr).not.toContain('had left the program');
  await environment.until('no process of it', 'gateway', async () => !victim.isThere() || undefined);

  const { events, exitCode } = await calculaud([
    'history',
    '--file',
    environment.file,
    '--json',
    '--limit',
    '3',
  ]);
  expect(exitCode).toBe(0);
  const entries = events().flatMap((event) => entryEvent.safeParse(event).data ?? []);
  expect(entries.find((entry) => entry.plan?.id === plan.id)).toMatchObject({
    command: commandIn(command, image),
    outcome,
    note: expect.stringMatching(
      next === 'abort'
        ? /^aborted/
        : outcome === 'done'
          ? /whose command ended early/
          : /before everything was judged/,
    ),
  });
  const release = releaseOf(await record());
  expect(release).toMatchObject(outcome === 'rolled back' ? before : {});
  // More containers than the configuration asks for are what it mends.
  const scaled = (release[release.active]?.replicas ?? 0) > 1;
  if (scaled) expectEnd(await runCommand(['scale', 'api=1', ...options()]));
  await expectConsistent(after);
}

/** One version answers, everything agrees that it is this one, and nothing else is left. */
async function expectConsistent(image: string): Promise<void> {
  const { journal, lease, release: stored } = await record();
  expect({ journal, holder: lease.holder }).toEqual({ journal: null, holder: null });
  const release = releaseOf({ release: stored });
  const { active } = release;
  expect(release[active]?.image).toBe(image);
  const direct = { active, next: null, canary: 0 };
  expect(await trafficNow()).toEqual({ running: direct, onDisk: direct });
  expect(await answeringColours()).toEqual([active]);

  const plan = await calculaud(['plan', '--file', environment.file, '--image', image, '--json']);
  expect(plan.events()).toEqual([expect.objectContaining({ event: 'plan', steps: [] })]);
  for (const [service, { image: made, replicas }] of [
    ['api-blue', release.blue ?? NOBODY],
    ['api-green', release.green ?? NOBODY],
    ['worker', { replicas: 1, image: release.worker?.image ?? '' }],
  ] as const) {
    // Those that were told to stop finish what they have.
    await environment.until(`${replicas} containers`, 'gateway', async () => {
      const all = (await environment.containers(service)).length;
      return (all === replicas && (await containersOf(service, made)) === replicas) || undefined;
    });
  }
  expect(await programs()).toEqual([]);
  const jobs = ['service', 'ls', '--format', '{{.Name}}', '--filter', `label=${jobLabel(cluster.config)}`];
  expect(await environment.docker(...jobs)).toBe('');
  const tokens = await cluster.exec(apiService(active), ['calculaud', '--json', 'token', 'list']);
  const left = eventsIn(tokenEvent, tokens).filter(
    ({ name, state }) => state === 'active' && name.startsWith('deployment'),
  );
  expect(left).toEqual([]);
}

const NOBODY = { image: '', replicas: 0 };
const tokenEvent = z.object({ event: z.literal('token'), name: z.string(), state: z.string() });

/** By the gateway's own counts: what it makes of requests from outside. */
async function answeringColours(): Promise<readonly Colour[]> {
  const gateway = await cluster.gateway();
  try {
    const counts = async () => {
      const stats = await gateway.counters();
      return COLOURS.map((colour) => ({ colour, sessions: stats.get(backendName(colour))?.sessions ?? 0 }));
    };
    const first = await counts();
    for (let n = 0; n < 20; n += 1) expect((await environment.get('/health')).status).toBe(200);
    const last = await counts();
    return last
      .filter(({ sessions }, index) => sessions > (first[index]?.sessions ?? 0))
      .map(({ colour }) => colour);
  } finally {
    await gateway.close();
  }
}

describe('a command that was killed', () => {
  const cases = kills.map((kill) => {
    const { command, step, moment, whom, next, nextToo } = kill;
    const kind = COMMANDS[command][step - 1];
    const where = { begun: 'as it began', middle: 'in its middle', done: 'when it was done' }[moment];
    const then = nextToo
      ? `deploy ${next}, killed as well, and deploy`
      : next === 'deploy'
        ? next
        : `deploy ${next}`;
    return { name: `${command}, step ${step} (${kind}) ${where}, with ${whom}; then ${then}`, kill };
  });
  test.each(cases)('$name', async ({ name, kill }) => {
    await killAndGoOn(kill, name);
  });

  test('and nobody who used the system noticed', async () => {
    const summary = await traffic.end();
    const bound = ends.filter(({ judged }) => !judged).map(({ seconds }) => seconds);
    console.log(
      `${ends.length} commands killed; the next one was done after ${Math.min(...bound).toFixed(1)} to ` +
        `${Math.max(...bound).toFixed(1)} s, where it had to judge after at most ` +
        `${Math.max(0, ...ends.map(({ seconds }) => seconds)).toFixed(1)} s; ` +
        `${summary.sent} requests, ${summary.failed} failed; ${JSON.stringify(summary.writes)}`,
    );
    expect(summary.failures).toEqual([]);
    expect(summary).toMatchObject({ failed: 0, writes: { lost: 0, doubled: 0 } });
  });
});
