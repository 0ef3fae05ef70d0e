import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../host/cluster.ts';
import type { Service, Task } from '../host/docker-answers.ts';
import { fullServiceName, type ServiceName, SERVICES } from '../stack/names.ts';
import type { StackDocument } from '../stack/render.ts';
import { SPEC_LABEL, specHash } from '../stack/spec-label.ts';
import { DeploymentFailure } from './failure.ts';

/** What the live system has to show for one service. */
interface Wanted {
  readonly service: ServiceName;
  readonly spec: string;
  readonly replicas: number;
}

/** How long a service may take. The database may have to be made, or to recover; the others are started in seconds. */
const PATIENCE_MS = 45_000;
const PATIENCE_OF: Readonly<Partial<Record<ServiceName, number>>> = {
  [SERVICES.database]: 300_000,
  [SERVICES.clamav]: 600_000,
};
/** A container that ended by itself: of these services one is enough, the others may wait for something to come up. */
const FAIL_AT_ONCE: ReadonlySet<ServiceName> = new Set([
  SERVICES.apiBlue,
  SERVICES.apiGreen,
  SERVICES.worker,
]);
/** For so long containers that are stopping may still hold what a new one needs. */
const HOMELESS_MS = 30_000;
const PAUSE_MS = 250;

interface Settling {
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
  /** What ended before says nothing. */
  readonly since: Date;
  /**
   * What was there before comes back. Nothing is given up before its time: what ends by itself may be what is just being
   * taken away. And nobody waits for Swarm to have watched it for some seconds, for it has proven itself already.
   */
  readonly patient?: boolean;
}

/**
 * Waits until every service runs as many containers as it should, all of them of the description of the document and
 * healthy, and none of another one. Told by the tasks themselves: `stack deploy` returns at once, and an update that was
 * rolled back looks like success to the client.
 */
export async function settle(
  cluster: Cluster,
  document: StackDocument,
  { signal, say, since, patient = false }: Settling,
): Promise<void> {
  const wanted = Object.entries(document.file.services).flatMap(([name, service]): Wanted[] =>
    isService(name) && service.deploy.mode === undefined
      ? [{ service: name, spec: specHash(service, document), replicas: service.deploy.replicas ?? 1 }]
      : [],
  );
  const begin = performance.now();
  const open = new Set(wanted);
  let told = '';
  while (open.size > 0) {
    signal.throwIfAborted();
    const services = new Map((await cluster.services()).map((service) => [service.Spec.Name, service]));
    for (const one of open) {
      const live = services.get(fullServiceName(cluster.config, one.service));
      const tasks = await cluster.tasks(one.service);
      const state = judge(one, live, tasks, { since, patient });
      if (state.settled) {
        open.delete(one);
        continue;
      }
      const patience = Math.round(PATIENCE_OF[one.service] ?? PATIENCE_MS) * Math.max(1, one.replicas);
      const late = performance.now() - begin > patience;
      const failed = state.failure !== undefined && !patient;
      if (!failed && !late) continue;
      const task = state.task ?? tasks.toSorted((a, b) => b.UpdatedAt.localeCompare(a.UpdatedAt))[0];
      throw new DeploymentFailure({
        waitedFor: `${one.replicas} healthy of ${one.service}`,
        came: state.failure ?? `${state.words} after ${Math.round(patience / 1000)} s`,
        instance: task?.ID,
        lastLines: task && !state.wordless ? await cluster.lastWords(task.ID) : [],
      });
    }
    const words = [...open].map(({ service }) => service).join(', ');
    if (words && words !== told) say(`Waiting for ${words} …`);
    told = words;
    if (open.size > 0) await pause(PAUSE_MS, undefined, { signal });
  }
}

interface State {
  readonly settled: boolean;
  readonly words: string;
  readonly failure?: string;
  readonly task?: Task;
  /** The task never ran, so it has said nothing. */
  readonly wordless?: boolean;
}

/** What the tasks of a service say of it. */
export function judge(
  wanted: Wanted,
  live: Service | undefined,
  tasks: readonly Task[],
  { since, patient = false }: Pick<Settling, 'since' | 'patient'>,
): State {
  if (!live) return { settled: false, words: 'no such service' };
  const update = live.UpdateStatus;
  const ofSpec = (task: Task) => task.Spec.ContainerSpec?.Labels[SPEC_LABEL] === wanted.spec;
  const meant = tasks.filter(({ DesiredState }) => DesiredState === 'running');
  const good = meant.filter((task) => ofSpec(task) && task.Status.State === 'running');
  const ended = tasks.filter(
    (task) =>
      ofSpec(task) &&
      ['failed', 'rejected'].includes(task.Status.State) &&
      // The orchestrator moves a task when it loses sight of its node; that says nothing of the version.
      !/no longer meets constraints|node is (down|not available)/.test(task.Status.Err ?? '') &&
      new Date(task.Status.Timestamp) >= since,
  );
  const last = ended.toSorted((a, b) => b.UpdatedAt.localeCompare(a.UpdatedAt))[0];
  const words = `${good.length} of ${wanted.replicas} healthy`;
  // An old container may still be finishing what it has; nobody is sent to it any more once it is meant to end.
  const complete = good.length === wanted.replicas && meant.length === wanted.replicas;
  if (complete && patient) return { settled: true, words };
  if (last && FAIL_AT_ONCE.has(wanted.service)) {
    return {
      settled: false,
      words,
      task: last,
      failure: `a container ended: ${last.Status.Err ?? last.Status.Message ?? last.Status.State}`,
    };
  }
  const homeless = meant.find(
    ({ Status: { State, Err = '' }, CreatedAt }) =>
      State === 'pending' &&
      Err.startsWith('no suitable node') &&
      Date.now() - new Date(CreatedAt).getTime() > HOMELESS_MS,
  );
  if (homeless && FAIL_AT_ONCE.has(wanted.service)) {
    return {
      settled: false,
      words,
      task: homeless,
      wordless: true,
      failure: `no host takes it: ${homeless.Status.Err}`,
    };
  }
  const turnedBack = /^rollback|^paused$/.test(update?.State ?? '');
  if (turnedBack && new Date(update?.StartedAt ?? 0) >= since && meant.some((task) => !ofSpec(task))) {
    return {
      settled: false,
      words,
      ...(last && { task: last }),
      failure: `Swarm turned the update back (${update?.State}): ${update?.Message ?? ''}`,
    };
  }
  const settled = complete && update?.State !== 'updating';
  const waiting = meant.find(({ Status }) => Status.Err !== undefined && Status.Err !== '');
  return { settled, words: waiting ? `${words} (${waiting.Status.Err})` : words };
}

const NAMES: ReadonlySet<string> = new Set(Object.values(SERVICES));

function isService(name: string): name is ServiceName {
  return NAMES.has(name);
}
