import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ProbeSummary } from '../../apps/cli/src/journey/probe-events.ts';
import { calculaud, type Outcome } from '../../apps/cli/src/testing/command-line.ts';
import { dockerDaemon } from './daemon.ts';
import { faultyImage } from './faults/faulty-image.ts';
import { faultKinds } from './faults/kinds.ts';
import { images } from './images.ts';
import { type StackEnvironment, stackEnvironment } from './stack-environment.ts';
import { startTraffic } from './traffic.ts';

/** `calculaud deploy` and `rollback` on a stack that has users, with every strategy, good versions and bad ones. */

const full = process.env['CALCULAUD_E2E'] === 'full';
/** Requests a second while versions are replaced; what two cores bear beside everything else, and what the bar asks for. */
const rate = full ? 200 : 40;
/** By so much answers may get slower at worst: what the bar says, and what is still no outage on a machine with other work. */
const mostAddedMs = full ? 250 : 1000;
/** The phase in which nothing is deployed. */
const UNDISTURBED = 'undisturbed';
const https = 22_443;
const strategies = ['blue-green', 'rolling', 'canary'] as const;
/** The same code under two names: what differs is that it is another version. */
const versions = ['calculaud-a:test', 'calculaud-b:test'] as const;

let environment: StackEnvironment;
let host: string;
/** Whoever stops it has what was under way; no gate can know. */
let noDrain: string;
beforeAll(async () => {
  ({ host } = await dockerDaemon());
  environment = await stackEnvironment(host, 'deployments', {
    https,
    replicas: { api: 2 },
    strategy: {
      watch: '5s',
      canary: {
        steps: [
          { percent: 10, hold: '5s' },
          { percent: 50, hold: '5s' },
        ],
      },
    },
  });
  for (const version of versions) await environment.docker('tag', images.app, version);
  const init = await calculaud(`init --file ${environment.file} --self-signed --yes`);
  assertEnd(init, 0);
  noDrain = await faultyImage(host, 'no-drain');
  assertEnd(await deploy(noDrain), 0);
});
afterAll(async () => {
  await environment.remove();
});

async function deploy(image: string, ...more: readonly string[]): Promise<Outcome> {
  return calculaud(['deploy', '--file', environment.file, '--image', image, '--yes', '--json', ...more]);
}

function assertEnd({ exitCode, stderr }: Outcome, expected: number): void {
  if (exitCode !== expected) throw new Error(`ended with ${exitCode}:\n${stderr}`);
}

function expectExit(outcome: Outcome, exitCode: number): void {
  expect({ exitCode: outcome.exitCode, said: outcome.exitCode === exitCode ? '' : outcome.stderr }).toEqual({
    exitCode,
    said: '',
  });
}

const deployment = z.object({
  event: z.literal('deployment'),
  outcome: z.string(),
  reason: z.string().nullable(),
});

function endOf(outcome: Outcome) {
  return outcome.events().flatMap((event) => {
    const parsed = deployment.safeParse(event);
    return parsed.success ? [parsed.data] : [];
  })[0];
}

/** As the gateway's own map says. */
async function activeColour(): Promise<string> {
  const [gateway = ''] = await environment.containers('gateway');
  const map = await environment.docker('exec', gateway, 'cat', '/var/lib/haproxy/traffic.map');
  return /^active (\w+)$/m.exec(map)?.[1] ?? 'none';
}

function otherThan(colour: string): string {
  return colour === 'blue' ? 'green' : 'blue';
}

/** By how much the worst phase after one was slower than it, in ms. */
function addedP99({ phases }: ProbeSummary, reference: string): number {
  const entries = Object.entries(phases);
  const later = entries.slice(entries.findIndex(([phase]) => phase === reference) + 1);
  const before = phases[reference]?.p99_ms ?? Number.NaN;
  return Math.max(...later.map(([, { p99_ms }]) => p99_ms ?? Number.NaN)) - before;
}

/** So many requests can be open at a time when none takes longer than 100 ms; and the one upload. */
function inFlight(perSecond: number): number {
  return Math.ceil(perSecond * 0.1) + 1;
}

/** The image whose containers answer users, as the gateway and Swarm say. */
async function answering(): Promise<string> {
  const active = await activeColour();
  return environment.docker(
    'service',
    'inspect',
    `${environment.stack}_api-${active}`,
    '--format',
    '{{.Spec.TaskTemplate.ContainerSpec.Image}}',
  );
}

/**
 * The negative control, with what was installed: were this not found, no number of requests without a failure would prove
 * anything. An upload is under way nearly all the time, in one of the two containers that are replaced.
 */
test('versions that do not drain lose requests when they are replaced', async () => {
  const traffic = await startTraffic(environment, { https, rate });
  // The full form deploys it as often as the good versions; the short one has Swarm replace its containers as a roll does.
  const again = full
    ? async (round: number) =>
        expectExit(await deploy(round % 2 ? versions[0] : noDrain, '--strategy', 'rolling'), 0)
    : async () =>
        void (await environment.docker('service', 'update', '--force', `${environment.stack}_api-blue`));
  let rounds = 0;
  while (rounds < 20 && traffic.failed() === 0) {
    rounds += 1;
    traffic.mark(`rolling ${rounds}`);
    await again(rounds);
  }
  const { sent, failed, failures } = await traffic.end();
  const what = failures.map((failure) => `${failure.kind} ${failure.what}`).join(', ');
  console.log(`without draining: ${failed} of ${sent} requests failed in ${rounds} rolls: ${what}`);
  if ((await answering()) !== versions[0]) expectExit(await deploy(versions[0], '--strategy', 'rolling'), 0);
  expect(await answering()).toBe(versions[0]);
  expect(failed).toBeGreaterThan(0);
});

describe('a version that is good', () => {
  test('replaces the one before under load, with every strategy, and nobody notices', async () => {
    // The last one keeps the version before beside it, for the rollback that follows.
    const planned = full
      ? ([
          ...Array.from({ length: 10 }, () => 'rolling'),
          ...Array.from({ length: 5 }, () => ['blue-green', 'canary']).flat(),
        ] as const)
      : strategies;
    const rounds = planned.length;
    // Servers that have just started, and are asked for the first time, are slow.
    const traffic = await startTraffic(environment, { https, rate, beforeMs: 10_000 });
    traffic.mark(UNDISTURBED);
    await wait(15_000);
    let current = 0;
    for (let round = 0; round < rounds; round += 1) {
      const strategy = planned[round % planned.length] ?? 'rolling';
      current = 1 - current;
      traffic.mark(`${round + 1} ${strategy}`);
      const started = performance.now();
      const outcome = await deploy(versions[current] ?? '', '--strategy', strategy);
      expectExit(outcome, 0);
      expect(endOf(outcome)).toMatchObject({ outcome: 'done', reason: null });
      expect(await answering()).toBe(versions[current]);
      console.log(`${round + 1} ${strategy}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
    const summary = await traffic.end();
    const added = addedP99(summary, UNDISTURBED);
    console.log(
      `${rounds} deployments under ${Math.round(summary.sent / summary.seconds)} requests/s: ${summary.sent} sent, ` +
        `${summary.failed} failed; added p99 ${added} ms; ${JSON.stringify(summary.writes)}; ` +
        JSON.stringify(summary.phases),
    );
    expect(summary.failures).toEqual([]);
    expect(summary).toMatchObject({ failed: 0, writes: { lost: 0, doubled: 0 } });
    expect(added).toBeLessThanOrEqual(mostAddedMs);
  }, 3_600_000);

  test('is taken back by one command, which switches at once', async () => {
    const current = await answering();
    const before = versions.find((version) => version !== current) ?? '';
    const back = await calculaud(['rollback', '--file', environment.file, '--yes', '--json']);
    expectExit(back, 0);
    expect(await answering()).toBe(before);
  });

  test('and is what the plan then finds everywhere: nothing to do', async () => {
    const plan = await calculaud([
      'plan',
      '--file',
      environment.file,
      '--image',
      await answering(),
      '--json',
    ]);
    expect(plan).toMatchObject({ exitCode: 0 });
  });

  test('what was changed by hand is found and put back', async () => {
    await environment.docker('service', 'scale', '--detach', `${environment.stack}_worker=0`);
    const current = await answering();
    const plan = await calculaud(['plan', '--file', environment.file, '--image', current]);
    expect(plan.exitCode).toBe(2);
    expect(plan.stdout).toContain('worker differs in its replicas');
    expectExit(await deploy(current), 0);
    expect(await environment.containers('worker')).toHaveLength(1);
  });
});

test('the version before is given up after the soak, or when somebody says so', async () => {
  const finish = ['deploy', 'finish', '--file', environment.file, '--yes'];
  const refused = await calculaud(finish);
  expectExit(refused, 3);
  expect(refused.stderr).toContain('soaks until');
  expect(await environment.containers(`api-${otherThan(await activeColour())}`)).toHaveLength(2);
  expectExit(await calculaud([...finish, '--now']), 0);
  // They still finish what they have.
  const kept = otherThan(await activeColour());
  await environment.until('the end of the version before', 'gateway', async () =>
    (await environment.containers(`api-${kept}`)).length === 0 ? true : undefined,
  );
});

describe('what no gate can see beforehand', () => {
  test('a version that fails users alone is withdrawn from the canary before one in a hundred requests has failed', async () => {
    const faulty = await faultyImage(host, 'errors-to-users');
    const before = await answering();
    const traffic = await startTraffic(environment, { https, rate });
    traffic.mark('canary');
    const outcome = await deploy(faulty, '--strategy', 'canary');
    const { sent, failed, seconds, failures } = await traffic.end();
    console.log(
      `errors-to-users: ${failed} of ${sent} requests failed at ${Math.round(sent / seconds)} requests/s; ` +
        `${endOf(outcome)?.reason?.split('\n')[0]}`,
    );
    expectExit(outcome, 4);
    expect(endOf(outcome)).toMatchObject({ outcome: 'rolled back' });
    expect(await answering()).toBe(before);
    expect(failures.map(({ status }) => status)).toEqual(failures.map(() => 500));
    // Some have to: that is how it was found.
    expect(failed).toBeGreaterThan(0);
    expect(failed / sent).toBeLessThanOrEqual(0.01);
  });

  test('a replica that is killed: what was under way may fail, and another one takes its place', async () => {
    const active = await activeColour();
    const [victim = '', ...others] = await environment.containers(`api-${active}`);
    expect(others).toHaveLength(1);
    const traffic = await startTraffic(environment, { https, rate });
    traffic.mark('killed');
    const started = performance.now();
    await environment.docker('kill', victim);
    await environment.until('two ready replicas', `api-${active}`, async () => {
      const healthy = await environment.docker(
        'ps',
        '--quiet',
        '--filter',
        'health=healthy',
        '--filter',
        `label=com.docker.swarm.service.name=${environment.stack}_api-${active}`,
      );
      return healthy.split('\n').length === 2 || undefined;
    });
    const seconds = (performance.now() - started) / 1000;
    const summary = await traffic.end();
    console.log(
      `a killed replica: ${summary.failed} of ${summary.sent} requests failed, ` +
        `two are ready again after ${seconds.toFixed(1)} s; ${JSON.stringify(summary.writes)}`,
    );
    // Reads are sent again by the gateway; a write that was sent is not, and one upload is always under way.
    expect(summary.failures.filter(({ request }) => request.startsWith('GET '))).toEqual([]);
    expect(summary.failed).toBeLessThanOrEqual(inFlight(rate));
    expect(summary.writes).toMatchObject({ lost: 0, doubled: 0 });
    expect(seconds).toBeLessThan(60);
  });
});

/** All of them are met by the gates of two real servers in `e2e/gates.test.ts`, too. */
const onTheStack = full ? faultKinds : (['never-ready', 'errors'] as const);
if (!full)
  console.log(
    `Only with --full: ${faultKinds.filter((kind) => !onTheStack.some((one) => one === kind)).join(', ')}`,
  );

describe('a version that is bad never reaches users', () => {
  test.each(onTheStack)('%s', async (kind) => {
    const faulty = await faultyImage(host, kind);
    const before = await answering();
    const started = performance.now();
    const outcome = await deploy(faulty, '--strategy', 'blue-green');
    console.log(
      `${kind}: ${((performance.now() - started) / 1000).toFixed(1)} s: ${endOf(outcome)?.reason?.split('\n')[0]}`,
    );
    expectExit(outcome, 4);
    expect(endOf(outcome)).toMatchObject({ outcome: 'rolled back' });
    expect(await answering()).toBe(before);
    expect(outcome.events()).not.toContainEqual(
      expect.objectContaining({ event: 'step_begun', kind: 'switch' }),
    );
  });
});
