import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../host/cluster.ts';
import { DockerCommandError } from '../host/docker-command.ts';
import type { GatewayControl } from '../host/gateway-control.ts';
import { apiService, backendName, GATEWAY, SERVICES, stackName } from '../stack/names.ts';
import { renderJob } from '../stack/job.ts';
import { currentGatewayConfig, renderStack } from '../stack/render.ts';
import type { Colour, ReleaseState } from '../stack/release-state.ts';
import { labelled } from '../stack/spec-label.ts';
import type { Action } from './action.ts';
import { DeploymentFailure, endInWords } from './failure.ts';
import type { Json } from './json.ts';
import type { Journeys, ProbeToken, TrafficProbe } from './observers.ts';
import { settle } from './settle.ts';
import { type Watch, watch } from './watch.ts';

/** What the steps of one deployment share while it is carried out. */
export interface Work {
  readonly cluster: Cluster;
  readonly token: ProbeToken;
  readonly journeys: Journeys;
  readonly say: (text: string) => void;
  /** The state that ran when this step began. */
  readonly release: () => ReleaseState;
  traffic: TrafficProbe | undefined;
  /** What was done is being undone: what fails meanwhile is what is left. */
  goingBack: boolean;
}

const MIGRATION_MS = 3_600_000;
const READY_MS = 40_000;
/** The gates before the switch: what they need for a verdict came after 20 to 40 s. */
const BEFORE_USERS = { traffic: false, leastMs: 0, mostMs: 55_000 } as const;

/** Does what a step says; every one of them may be done again from its start. Resolves with what the journal keeps of it. */
export async function perform(action: Action, work: Work, signal: AbortSignal): Promise<Json> {
  const { cluster } = work;
  let detail: Json = null;
  switch (action.kind) {
    case 'release':
      await deployState(action.state, work, signal);
      break;
    case 'migrate':
      detail = await migrate(work, action, signal);
      break;
    case 'reload': {
      const { content } = currentGatewayConfig(cluster.config);
      await withGateway(cluster, signal, async (gateway) => gateway.reload(content));
      break;
    }
    case 'smoke':
      await withGateway(cluster, signal, async (gateway) =>
        ready(cluster, gateway, action.colour, replicasOf(work, action.colour), signal),
      );
      await smoke(cluster, { ...action, token: await work.token.of(action.colour) });
      break;
    case 'gate':
      detail = await judged(
        work,
        { ...action, token: await work.token.of(action.old) },
        BEFORE_USERS,
        signal,
      );
      break;
    case 'switch':
      detail = await switchTraffic(action.to, work, signal);
      break;
    case 'clear-canary':
      await withGateway(cluster, signal, async (gateway) => gateway.clear());
      break;
    case 'canary':
    case 'watch':
      if (action.kind === 'canary') await sendShare(action.percent, action.new, work, signal);
      detail = await judged(
        work,
        { ...action, token: await work.token.of(action.new) },
        { traffic: true, leastMs: action.ms, mostMs: action.ms * 2 + 30_000 },
        signal,
      );
      break;
  }
  return detail;
}

async function deployState(
  state: ReleaseState,
  { cluster, say, goingBack }: Work,
  signal: AbortSignal,
): Promise<void> {
  const since = new Date();
  const document = labelled(renderStack(cluster.config, state));
  await cluster.deploy(document, signal);
  await settle(cluster, document, { signal, say, since, patient: goingBack });
}

async function switchTraffic(to: Colour, work: Work, signal: AbortSignal): Promise<Json> {
  work.traffic?.mark('switch');
  return withGateway(work.cluster, signal, async (gateway) => {
    await ready(work.cluster, gateway, to, 1, signal);
    signal.throwIfAborted();
    const { ms } = await gateway.switchTo(to);
    return { switch_ms: Math.round(ms * 10) / 10 };
  });
}

async function sendShare(percent: number, to: Colour, work: Work, signal: AbortSignal): Promise<void> {
  work.traffic?.mark(`canary ${percent} %`);
  await withGateway(work.cluster, signal, async (gateway) => gateway.setCanary(percent, to));
}

/** Holds until the gates pass; what they said. */
async function judged(
  work: Work,
  sides: Pick<Watch, 'old' | 'new' | 'tools' | 'token'>,
  how: Pick<Watch, 'traffic' | 'leastMs' | 'mostMs'>,
  signal: AbortSignal,
): Promise<Json> {
  const { cluster, journeys } = work;
  return withGateway(cluster, signal, async (gateway) => {
    const given: Watch = { ...sides, ...how, journeys, wanted: replicasOf(work, sides.new) };
    const { reasons } = await watch(cluster, gateway, given, signal);
    return { passed: reasons.map(({ check, words }) => `${check}: ${words}`) };
  });
}

function replicasOf({ release }: Work, colour: Colour): number {
  return release()[colour]?.replicas ?? 1;
}

export async function withGateway<T>(
  cluster: Cluster,
  signal: AbortSignal,
  work: (gateway: GatewayControl) => Promise<T>,
): Promise<T> {
  const gateway = await cluster.gateway(signal);
  try {
    return await work(gateway);
  } finally {
    await gateway.close();
  }
}

/** The gateway itself must find the containers ready: it is the one that sends them users. */
async function ready(
  cluster: Cluster,
  gateway: GatewayControl,
  colour: Colour,
  wanted: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const servers = await gateway.serverCounters(colour);
    const up = servers.filter(({ status }) => status.startsWith('UP')).length;
    if (up >= wanted) return;
    if (performance.now() > deadline) {
      const [task] = await cluster.tasks(apiService(colour));
      throw new DeploymentFailure({
        waitedFor: `${wanted} ready in ${backendName(colour)}`,
        came: `${up} are: ${servers.map(({ name, status, check }) => `${name} ${status} ${check}`).join(', ') || 'the gateway knows no address'}`,
        instance: task?.ID,
        lastLines: task ? await cluster.lastWords(task.ID) : [],
      });
    }
    await pause(200, undefined, { signal });
  }
}

async function smoke(
  cluster: Cluster,
  { colour, tools, token }: { colour: Colour; tools: string; token: string },
): Promise<Json> {
  const program = await cluster.beside(tools, [
    'journey',
    '--url',
    `http://${SERVICES.gateway}:${GATEWAY.ports[colour]}`,
  ]);
  program.stdin.end(`${JSON.stringify({ token })}\n`);
  program.stdout.resume();
  const { exitCode, lastLines } = await program.ended;
  if (exitCode === 0) return null;
  throw new DeploymentFailure({
    waitedFor: `a journey through ${colour}`,
    came: endInWords(exitCode, lastLines),
    lastLines,
  });
}

/** As a Swarm job, which alone can have the owner's secret. One that a killed command left is taken away first. */
async function migrate(
  { cluster, release, say }: Work,
  { image, phase }: Extract<Action, { kind: 'migrate' }>,
  signal: AbortSignal,
): Promise<Json> {
  const name = `migrate-${phase}`;
  const command = ['calculaud', 'db', 'migrate', '--phase', phase];
  const lines = await runJob(cluster, { release: release(), name, image, command, signal });
  for (const line of lines) say(`  ${line}`);
  return { applied: lines.filter((line) => line.startsWith('+')) };
}

interface JobRun {
  readonly release: ReleaseState;
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly signal: AbortSignal;
  /** Exit codes other than 0 that are an answer, too. */
  readonly accepted?: readonly number[];
}

/** A program of an image with the owner's access to the database, to its end; the lines that it wrote. */
export async function runJob(
  cluster: Cluster,
  { release, name, image, command, signal, accepted = [] }: JobRun,
): Promise<readonly string[]> {
  const { api, command: docker } = cluster.manager;
  const service = `${stackName(cluster.config)}-${name}`;
  const remove = async () => docker.run(['service', 'rm', service]).catch(ignoreMissing);
  await remove();
  try {
    await docker.run(renderJob(cluster.config, release, { name, image, command }), { signal });
    const deadline = performance.now() + MIGRATION_MS;
    for (;;) {
      const [task] = await api.tasks({ service: [service] });
      // `calculaud plan` looks without the lock: whoever has it may take the job for one of a killed command.
      if (!task && !(await api.service(service))) {
        throw new DeploymentFailure({ waitedFor: command.join(' '), came: `somebody removed ${service}` });
      }
      const state = task?.Status.State ?? 'new';
      const exitCode = task?.Status.ContainerStatus?.ExitCode ?? 0;
      if (task && (state === 'complete' || (state === 'failed' && accepted.includes(exitCode)))) {
        const { stdout, stderr } = await docker.run(['service', 'logs', '--raw', task.ID], { signal });
        return `${stdout}${stderr}`.split('\n').filter(Boolean);
      }
      if (task && (state === 'failed' || state === 'rejected' || performance.now() > deadline)) {
        throw new DeploymentFailure({
          waitedFor: command.join(' '),
          came: `${state}: ${task.Status.Err ?? task.Status.Message ?? ''} (exit ${exitCode})`,
          instance: task.ID,
          lastLines: await cluster.lastWords(task.ID),
        });
      }
      await pause(250, undefined, { signal });
    }
  } finally {
    await remove();
  }
}

function ignoreMissing(error: unknown): void {
  if (error instanceof DockerCommandError && /not found/.test(error.message)) return;
  throw error;
}
