import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../host/cluster.ts';
import type { GatewayControl } from '../host/gateway-control.ts';
import { countsOf } from '../host/haproxy-answers.ts';
import { apiService, backendName } from '../stack/names.ts';
import type { Colour } from '../stack/release-state.ts';
import { EvidenceLog, type Checks } from './evidence-log.ts';
import { DeploymentFailure } from './failure.ts';
import { judge } from './gates.ts';
import type { Judgement } from './judgement.ts';
import type { Side } from './evidence.ts';
import { compareColours, type Journeys } from './observers.ts';

export interface Watch {
  readonly old: Colour | null;
  readonly new: Colour;
  /** How many containers of the new colour have to be ready. */
  readonly wanted: number;
  readonly tools: string;
  readonly token: string;
  readonly journeys: Journeys;
  /** Users meet the new colour: the gateway's own counts are judged, too. */
  readonly traffic: boolean;
  /** At least so long, even when all is well. */
  readonly leastMs: number;
  /** Inconclusive after so long is no pass. */
  readonly mostMs: number;
}

/** How long the containers of a colour may take until the gateway finds them ready. */
const READY_MS = 20_000;
const LOOK_MS = 250;

/**
 * Looks at the new colour with everything there is, and returns when the gates pass; throws as soon as they say that it
 * fails, or when they still cannot tell at the end.
 */
export async function watch(
  cluster: Cluster,
  gateway: GatewayControl,
  given: Watch,
  signal: AbortSignal,
): Promise<Judgement> {
  const { old, new: fresh, tools, token, traffic, journeys } = given;
  const checks: Checks = {
    replicas: true,
    journeys: true,
    // Comparing takes requests of its own; it comes before users meet the new colour, when there is room for it.
    ...(old !== null && !traffic && { sideBySide: true, memory: true }),
    ...(traffic && { gateway: true }),
  };
  const log = new EvidenceLog(checks);
  const begin = performance.now();
  const since = new Date();
  const elapsed = () => performance.now() - begin;
  const sides: readonly (readonly [Side, Colour])[] =
    old === null
      ? [['new', fresh]]
      : [
          ['old', old],
          ['new', fresh],
        ];
  let over = false;
  const joined: Awaited<ReturnType<Journeys['through']>>[] = [];
  let comparing: ReturnType<typeof compareColours> | undefined;
  // One after the other: programs that start at the same moment take the processors from the users.
  const observe = async (): Promise<never> => {
    for (const [side, colour] of sides) {
      if (over) break;
      joined.push(await journeys.through(colour, token, (result) => log.journey(side, result, elapsed())));
    }
    if (checks.sideBySide && !over) {
      const both = { old: old ?? fresh, new: fresh, tools, token };
      comparing = compareColours(cluster, both, (event) => log.probe(event));
    }
    return Promise.race([...joined, ...(comparing ? [await comparing] : [])].map((one) => one.broken));
  };
  const broken = observe();
  // Whoever waits for it hears of it; when a verdict came first, nobody does.
  broken.catch(() => undefined);
  try {
    for (;;) {
      signal.throwIfAborted();
      await Promise.race([look(cluster, gateway, given, log, { elapsed, since }), broken]);
      const judgement = judge(log.evidence());
      if (judgement.verdict === 'fail') throw await refusal(cluster, given, judgement, 'fails');
      if (judgement.verdict === 'pass' && elapsed() >= given.leastMs) return judgement;
      if (elapsed() > given.mostMs) throw await refusal(cluster, given, judgement, 'cannot be judged');
      await pause(LOOK_MS, undefined, { signal });
    }
  } finally {
    over = true;
    for (const { leave } of joined) leave();
    await (await comparing)?.end();
  }
}

/** What the gateway and Swarm know of the new colour right now. */
async function look(
  cluster: Cluster,
  gateway: GatewayControl,
  { old, new: fresh, wanted, traffic }: Watch,
  log: EvidenceLog,
  { elapsed, since }: { elapsed: () => number; since: Date },
): Promise<void> {
  const [tasks, servers, counters] = await Promise.all([
    cluster.tasks(apiService(fresh)),
    gateway.serverCounters(fresh),
    traffic ? gateway.counters() : undefined,
  ]);
  const down = servers.find(({ status }) => !status.startsWith('UP'));
  log.replicas({
    wanted,
    ready: servers.filter(({ status }) => status.startsWith('UP')).length,
    restarts: tasks.filter(
      ({ Status }) => ['failed', 'rejected'].includes(Status.State) && new Date(Status.Timestamp) >= since,
    ).length,
    waitedMs: elapsed(),
    limitMs: READY_MS,
    ...(down && { lastWords: down.check }),
  });
  if (!counters) return;
  const countsOfColour = (colour: Colour | null) => {
    const stat = colour === null ? undefined : counters.get(backendName(colour));
    return stat ? countsOf(stat) : null;
  };
  log.gateway({ at: elapsed(), old: countsOfColour(old), new: countsOfColour(fresh) });
}

async function refusal(
  cluster: Cluster,
  { new: fresh }: Watch,
  { reasons }: Judgement,
  how: string,
): Promise<DeploymentFailure> {
  const words = reasons
    .filter(({ verdict }) => verdict !== 'pass')
    .map(({ check, words: said }) => `${check}: ${said}`);
  const tasks = await cluster.tasks(apiService(fresh));
  const task = tasks.toSorted((a, b) => b.UpdatedAt.localeCompare(a.UpdatedAt))[0];
  return new DeploymentFailure({
    waitedFor: 'gates that pass',
    came: `the new version ${how}: ${words.join('; ')}`,
    instance: task?.ID,
    lastLines: task ? await cluster.lastWords(task.ID) : [],
  });
}
