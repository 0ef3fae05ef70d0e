import { setTimeout as pause } from 'node:timers/promises';
import { readLedger } from '../deployment/ledger-store.ts';
import { driftOf } from '../deployment/observe.ts';
import { openRegister, type Register, type Snapshot } from '../deployment/register.ts';
import type { Cluster } from '../host/cluster.ts';
import type { Docker } from '../host/docker.ts';
import type { Node } from '../host/docker-answers.ts';
import { SERVICES, stackName } from '../stack/names.ts';
import { healthIn } from './answers.ts';
import { isUnexplained } from './findings.ts';
import { askDatabase, askDisks, askGateway, askReadiness } from './probes.ts';
import type { Seen, SeenDisk, SeenHost, SeenInstance, SeenLock, SeenService } from './seen.ts';
import { type FoundService, type FoundTask, foundServices } from './services.ts';

/** A holder of the lock shows every 2 s that it lives. */
const SIGN_OF_LIFE_MS = 3000;
const PAUSE_MS = 250;

/** What goes wrong with a part is told, and the rest is looked at all the same. */
type Attempt = <T>(what: string, work: () => Promise<T>) => Promise<T | undefined>;

/**
 * Looks at everything there is to say about an environment, and changes nothing. Only a manager of the Swarm has to
 * answer; all other parts that cannot be looked at are named in what comes back.
 */
export async function look(cluster: Cluster): Promise<Seen> {
  const { config, manager } = cluster;
  const unseen: Seen['unseen'][number][] = [];
  const attempt: Attempt = async (what, work) => {
    try {
      return await work();
    } catch (error) {
      unseen.push({ what, why: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  };
  const stack = stackName(config);
  const register = openRegister(manager.api, stack);
  const [snapshot, services, tasks, nodes] = await Promise.all([
    register.read(),
    cluster.services(),
    manager.api.tasks({ label: [`com.docker.stack.namespace=${stack}`] }),
    manager.api.nodes(),
  ]);
  const now = new Date();
  const found = foundServices({ prefix: `${stack}_`, services, tasks, nodes, now });
  const { release, journal } = snapshot.record;
  const [instances, gateway, accepts, hosts, ledger, lock] = await Promise.all([
    lookInside(cluster, found, attempt),
    inContainerOf(cluster, found, SERVICES.gateway, attempt, async (place) => askGateway(place, config)),
    inContainerOf(cluster, found, SERVICES.database, attempt, askDatabase),
    lookAtHosts(cluster, { nodes, found }, attempt),
    attempt('the ledger', async () => readLedger(register)),
    lookAtLock(register, snapshot),
  ]);
  const seen = found.map((one): SeenService => {
    const { service, image, wanted, ended } = one;
    const own = one.tasks.flatMap(({ task }) => instances.get(task) ?? []);
    return { service, image, wanted, ended, instances: own, last_lines: [] };
  });
  return {
    at: now.toISOString(),
    environment: { name: config.name, kind: config.kind, domain: config.domain, stack },
    release,
    configured: { ...config.replicas, image: config.image },
    services: await Promise.all(seen.map(async (one) => withLastLines(cluster, found, one))),
    gateway: gateway ?? null,
    database: { kind: config.database.kind, accepts: accepts ?? null },
    drift: (release === null ? [] : driftOf(config, release, services)).map(({ service, words }) => ({
      service,
      words,
    })),
    deployment: journal && {
      command: journal.plan.command,
      who: journal.startedBy,
      started_at: journal.startedAt,
      direction: journal.direction,
      reason: journal.reason,
      steps: journal.steps.length,
      done: journal.steps.filter(({ state }) => state === 'done').length,
    },
    lock,
    ledger: {
      length: snapshot.record.ledger.length,
      last: lastOf(ledger?.entries ?? []),
      problems: ledger?.problems.map(({ text }) => text) ?? [],
    },
    hosts,
    unseen,
  };
}

/** What the containers know of themselves, by their tasks. */
async function lookInside(
  cluster: Cluster,
  found: readonly FoundService[],
  attempt: Attempt,
): Promise<ReadonlyMap<string, SeenInstance>> {
  const label = [`com.docker.stack.namespace=${stackName(cluster.config)}`];
  const health = new Map<string, string>();
  await Promise.all(
    cluster.engines.map(async (docker) => {
      const containers = await attempt(`the containers of ${docker.name}`, async () =>
        docker.api.containers({ label }),
      );
      for (const { Id, Status } of containers ?? []) health.set(Id, Status);
    }),
  );
  const ofOurs = new Set<string>([SERVICES.apiBlue, SERVICES.apiGreen, SERVICES.worker]);
  const seen = found.flatMap(({ service, tasks }) =>
    tasks.map(async ({ task, node, container, ...rest }): Promise<[string, SeenInstance]> => {
      const docker = cluster.engineOf(node);
      const runs = rest.state === 'running' && container !== undefined && docker !== undefined;
      const status = container === undefined ? undefined : health.get(container);
      const asked = runs && ofOurs.has(service);
      const answer = asked
        ? await attempt(`whether ${rest.instance} is ready`, async () => ({
            value: await askReadiness({ docker, container }),
          }))
        : undefined;
      return [
        task,
        {
          ...rest,
          health: status === undefined ? null : healthIn(status),
          answer: answer?.value ?? null,
          silent: answer !== undefined && answer.value === undefined,
        },
      ];
    }),
  );
  return new Map(await Promise.all(seen));
}

/** Asks within a running container of the service; undefined when none can be reached. */
async function inContainerOf<T>(
  cluster: Cluster,
  found: readonly FoundService[],
  service: string,
  attempt: Attempt,
  ask: (place: { docker: Docker; container: string }) => Promise<T>,
): Promise<T | undefined> {
  const task = found.find((one) => one.service === service)?.tasks.find(({ state }) => state === 'running');
  const docker = cluster.engineOf(task?.node ?? '');
  const container = task?.container;
  if (!docker || container === undefined) return undefined;
  return attempt(`the ${service}`, async () => ask({ docker, container }));
}

async function lookAtHosts(
  cluster: Cluster,
  { nodes, found }: { nodes: readonly Node[]; found: readonly FoundService[] },
  attempt: Attempt,
): Promise<readonly SeenHost[]> {
  const running = found.flatMap(({ service, tasks }) =>
    tasks.filter(({ state }) => state === 'running').map((task) => ({ service, ...task })),
  );
  return Promise.all(
    cluster.config.hosts.map(async ({ name, docker }): Promise<SeenHost> => {
      const away = cluster.away.find((one) => one.name === name);
      const node = nodes.find(({ Description }) => Description.Hostname === name);
      const own = running.filter((task) => task.node === node?.ID);
      return {
        name,
        docker,
        away: away ? { why: away.why, hint: away.hint } : null,
        node: node
          ? {
              state: node.Status.State,
              availability: node.Spec.Availability,
              role: node.Spec.Role,
              leader: node.ManagerStatus?.Leader ?? false,
              engine: node.Description.Engine.EngineVersion,
            }
          : null,
        disks: (await attempt(`the disk of ${name}`, async () => disksOf(cluster, own))) ?? [],
      };
    }),
  );
}

/** Any container of the host sees the disk that Docker's data lie on; that of the database may have another one, too. */
async function disksOf(
  cluster: Cluster,
  tasks: readonly (FoundTask & { readonly service: string })[],
): Promise<readonly SeenDisk[]> {
  const task = tasks.find(({ service }) => service === SERVICES.database) ?? tasks[0];
  const docker = cluster.engineOf(task?.node ?? '');
  const container = task?.container;
  if (!docker || container === undefined) return [];
  return askDisks(
    { docker, container },
    {
      Docker: '/',
      ...(task?.service === SERVICES.database && { database: '/var/lib/postgresql' }),
    },
  );
}

/** A lock whose holder gives no sign of life was left behind by a command that was killed. */
async function lookAtLock(register: Register, first: Snapshot): Promise<SeenLock | null> {
  const { holder } = first.record.lease;
  if (!holder) return null;
  const { who, command, since, id } = holder;
  const until = performance.now() + SIGN_OF_LIFE_MS;
  while (performance.now() < until) {
    await pause(PAUSE_MS);
    const { version, record } = await register.read();
    if (record.lease.holder?.id !== id) return null;
    if (version !== first.version) return { who, command, since, alive: true };
  }
  return { who, command, since, alive: false };
}

async function withLastLines(
  cluster: Cluster,
  found: readonly FoundService[],
  seen: SeenService,
): Promise<SeenService> {
  if (!isUnexplained(seen)) return seen;
  const { endedTask, tasks } = found.find(({ service }) => service === seen.service) ?? { tasks: [] };
  const unwell = tasks.find((_, index) => {
    const { silent, health } = seen.instances[index] ?? {};
    return silent || health === 'unhealthy';
  });
  const task = unwell?.task ?? endedTask;
  return task === undefined ? seen : { ...seen, last_lines: await cluster.lastWords(task) };
}

function lastOf(entries: Awaited<ReturnType<typeof readLedger>>['entries']): Seen['ledger']['last'] {
  const last = entries.at(-1);
  if (!last) return null;
  const { n, command, outcome, who, at } = last;
  return { n, command, outcome, who, at };
}
