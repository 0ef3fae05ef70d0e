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
import { compareColours, journeysThrough, type Observer } from './observers.ts';

export interface Watch {
  readonly old: Colour | null;
  readonly new: Colour;
  /** How many containers of the new colour have to be ready. */
  readonly wanted: number;
  readonly tools: string;
  readonly token: string;
  /** Users meet the new colour: the gateway's own counts are judged, too. */
  readonly traffic: boolean;
  /** At least so long, even when all is well. */
  readonly leastMs: number;
  /** Inconclusive after so long is no pass. */
  readonly mostMs: number;
}

/** How long the containers of a colour may take until the gateway finds them ready. */
const READY_MS = 30_000;
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
  const { old, new: fresh, tools, token, traffic } = given;
  const checks: Checks = {
    replicas: true,
    journeys: true,
    // A leak is found before users meet it; under traffic both sides breathe.
    ...(old !== null && { sideBySide: true, memory: !traffic }),
    ...(traffic && { gateway: true }),
  };
  const log = new EvidenceLog(checks);
  const begin = performance.now();
  const since = new Date();
  const elapsed = () => performance.now() - begin;
  const observers: Observer[] = [];
  try {
    observers.push(
      await journeysThrough(cluster, { colour: fresh, tools, token }, (result) =>
        log.journey('new', result, elapsed()),
      ),
    );
    if (old !== null) {
      observers.push(
        await journeysThrough(cluster, { colour: old, tools, token }, (result) =>
          log.journey('old', result, elapsed()),
        ),
        await compareColours(cluster, { old, new: fresh, tools, token }, (event) => log.probe(event)),
      );
    }
    const broken = Promise.race(observers.map((observer) => observer.broken));
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
    await Promise.all(observers.map((observer) => observer.end()));
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
