import type { Colour } from '../stack/release-state.ts';
import { otherColour } from '../stack/release-state.ts';
import { SERVICES } from '../stack/names.ts';
import { amount, inWords } from './words.ts';
import type { Seen, SeenCheck, SeenGateway, SeenHost, SeenInstance, SeenService } from './seen.ts';

/** Something that is not as it should be, or that nobody could look at. */
export interface Finding {
  readonly kind: 'wrong' | 'unknown';
  readonly words: string;
  /** What to type about it. */
  readonly command: string | null;
  /** The last lines of whoever failed. */
  readonly lines: readonly string[];
}

export interface Assessment {
  readonly verdict: 'healthy' | 'wrong' | 'unverified';
  /** The worst first. */
  readonly findings: readonly Finding[];
  /** What is good to know, and no fault. */
  readonly notes: readonly string[];
}

/** As the instances call what they look at. */
export const DATABASE_CHECK = 'postgresql:responseTime';
export const SCHEMA_CHECK = 'schema:version';

/** What is to be thought of what was seen. `choice` says the environment as it was typed, such as ` --to staging`. */
export function assess(seen: Seen, choice: string): Assessment {
  const findings = [
    ...deployments(seen, choice),
    ...users(seen, choice),
    ...databases(seen, choice),
    ...seen.services.flatMap((service) => services(service, seen, choice)),
    ...(isBusy(seen) || !isDeployed(seen) ? [] : traffic(seen, choice)),
    ...(isBusy(seen) || !isDeployed(seen) ? [] : drift(seen, choice)),
    ...seen.ledger.problems.map((words) => wrong(`The ledger: ${words}.`, `calculaud history${choice}`)),
    ...seen.hosts.flatMap((host) => [...nodes(host), ...disks(host)]),
    ...strangers(seen),
    ...seen.unseen.map(({ what, why }) => unknown(`Could not look at ${what}: ${why}`)),
  ];
  const sorted = findings.toSorted(
    (one, other) => Number(one.kind !== 'wrong') - Number(other.kind !== 'wrong'),
  );
  const verdict = sorted[0]?.kind === 'wrong' ? 'wrong' : sorted.length > 0 ? 'unverified' : 'healthy';
  return { verdict, findings: sorted, notes: notes(seen) };
}

/** Everything that is meant to run does, and nobody complains. */
export function isWhole({ wanted, instances }: SeenService): boolean {
  return (
    runningOf(instances).length === wanted && instances.every((instance) => complaint(instance) === null)
  );
}

/** It does not run as it should, and does not say why: its log may. */
export function isUnexplained({ wanted, instances }: SeenService): boolean {
  return (
    runningOf(instances).length < wanted ||
    instances.some(({ health, silent, answer }) => !answer && (silent || health === 'unhealthy'))
  );
}

export function runningOf(instances: readonly SeenInstance[]): readonly SeenInstance[] {
  return instances.filter(({ state }) => state === 'running');
}

/** The colour that requests go to. While the map names none, the gateway takes the one that has ready servers. */
export function answering({ running, ready }: SeenGateway): Colour | null {
  if (running.active) return running.active;
  return (['blue', 'green'] as const).find((colour) => ready[colour] > 0) ?? null;
}

/** Somebody changes the environment at this moment: what does not fit together yet is no fault. */
export function isBusy({ lock }: Seen): boolean {
  return lock?.alive ?? false;
}

function deployments(seen: Seen, choice: string): Finding[] {
  const { deployment, release, services: live, environment } = seen;
  if (deployment && !isBusy(seen)) {
    const { command, who, started_at, direction, done, steps } = deployment;
    const far = direction === 'undo' ? 'it was being undone' : `${done} of ${steps} steps are done`;
    return [
      wrong(
        `"${command}" of ${who}, begun at ${inWords(started_at)}, was not finished: ${far}. ` +
          `Finish it, or undo it with \`calculaud deploy abort${choice}\`.`,
        `calculaud deploy resume${choice}`,
      ),
    ];
  }
  if (isBusy(seen) || (release !== null && live.length > 0)) return [];
  const words =
    live.length === 0
      ? release === null
        ? `Nothing is deployed in ${environment.name} yet.`
        : `The stack ${environment.stack} is gone: none of its services is there.`
      : `The stack ${environment.stack} was not deployed by calculaud: which version should run is not known.`;
  return [wrong(words, `calculaud deploy${choice}`)];
}

function isDeployed({ release, services: live }: Seen): boolean {
  return release !== null && release[release.active] !== null && live.length > 0;
}

function users(seen: Seen, choice: string): Finding[] {
  const { services: live, gateway, release } = seen;
  if (!isDeployed(seen) || release === null) return [];
  const service = live.find((one) => one.service === SERVICES.gateway);
  if (!service || runningOf(service.instances).length === 0) {
    return [wrong('Nobody is answered: no gateway runs.', logs(SERVICES.gateway, choice))];
  }
  if (!gateway) return [];
  const colour = answering(gateway);
  if (colour !== null && gateway.ready[colour] > 0) return [];
  const meant = colour ?? release.active;
  return [
    wrong(`Nobody is answered: the gateway finds no server of ${meant} ready.`, logs(`api-${meant}`, choice)),
  ];
}

function databases({ database, services: live, release }: Seen, choice: string): Finding[] {
  const away = (words: string) => [wrong(words, logs(SERVICES.database, choice))];
  if (database.accepts === false) return away('The database takes no connections.');
  if (database.kind === 'external' || release === null) return [];
  const service = live.find((one) => one.service === SERVICES.database);
  return service && runningOf(service.instances).length === 0 ? away('The database does not run.') : [];
}

function services(service: SeenService, seen: Seen, choice: string): Finding[] {
  const { service: name, wanted, instances, ended, last_lines } = service;
  if (isWhole(service)) return [];
  const running = runningOf(instances);
  // During a deployment some are only about to come or to go.
  if (isBusy(seen) && running.every((instance) => complaint(instance) === null)) return [];
  const missing = instances.find(({ state }) => state !== 'running');
  const absence =
    running.length < wanted
      ? [
          `${running.length} of ${wanted} run`,
          missing &&
            `${missing.instance} is ${missing.state}${missing.problem ? ` (${missing.problem})` : ''}`,
          ended && `${ended.instance} ended at ${inWords(ended.at)}: ${ended.why}`,
        ]
      : running.length > wanted
        ? [`${running.length} run instead of ${wanted}`]
        : [];
  const complaints = new Map<string, string[]>();
  for (const instance of running) {
    const words = complaint(instance);
    if (words !== null) complaints.set(words, [...(complaints.get(words) ?? []), instance.instance]);
  }
  const complained = [...complaints].map(([words, names]) => `${names.join(', ')}: ${words}`);
  const words = [...absence, ...complained].filter(Boolean).join('; ');
  return [{ ...wrong(`${name}: ${words}.`, logs(name, choice)), lines: last_lines }];
}

/** What is wrong with an instance that runs; null when nothing is. */
function complaint({ state, health, answer, silent }: SeenInstance): string | null {
  if (state !== 'running') return null;
  if (health === 'unhealthy') return 'is unhealthy';
  if (silent) return 'does not answer on its management port';
  if (!answer) return null;
  if (answer.draining) return 'is stopping';
  const failing = answer.checks.filter(({ status }) => status !== 'pass');
  // Without the database nothing else can be told either.
  const first = failing.find(({ check }) => check === DATABASE_CHECK);
  if (failing.length > 0) return (first ? [first] : failing).map(checkInWords).join(', ');
  return answer.ready ? null : 'is not ready';
}

function checkInWords({ check, status, output }: SeenCheck): string {
  const about =
    {
      [DATABASE_CHECK]: 'cannot use the database',
      [SCHEMA_CHECK]: 'cannot run on this schema',
      'storage:availability': 'cannot move files',
    }[check] ?? `has ${check} at ${status}`;
  return output === null ? about : `${about} (${output})`;
}

function traffic({ gateway, release, services: live }: Seen, choice: string): Finding[] {
  if (!gateway || release === null || release[release.active] === null) return [];
  const { running, on_disk, outdated } = gateway;
  const found: Finding[] = [];
  if (running.active !== release.active) {
    const words = running.active === null ? 'to whoever is ready' : `to ${running.active}`;
    found.push(
      wrong(`Traffic goes ${words}, but ${release.active} was released.`, `calculaud deploy${choice}`),
    );
  }
  if (running.canary > 0) {
    const share = `${running.canary} % of the traffic goes to ${running.next ?? 'nobody'}`;
    found.push(wrong(`${share}, and no deployment is under way.`, `calculaud deploy${choice}`));
  }
  if (found.length === 0 && (on_disk.active !== running.active || on_disk.canary !== running.canary)) {
    const after = on_disk.active ?? 'whoever is ready';
    found.push(
      wrong(`After a restart of the gateway traffic would go to ${after}.`, `calculaud deploy${choice}`),
    );
  }
  if (outdated) {
    found.push(
      wrong(
        'The gateway runs with another configuration than calculaud.yml stands for.',
        `calculaud deploy${choice}`,
      ),
    );
  }
  return [...found, ...live.flatMap(mixed)];
}

/** One tag may mean different images on different hosts. */
function mixed({ service, instances }: SeenService): Finding[] {
  const builds = new Set(
    instances.flatMap(({ answer }) =>
      answer ? [`${answer.version} (${answer.commit ?? 'no commit'})`] : [],
    ),
  );
  if (builds.size < 2) return [];
  return [wrong(`${service} answers as different versions: ${[...builds].join(', ')}.`, null)];
}

function drift({ drift: found }: Seen, choice: string): Finding[] {
  return found.map(({ service, words }) => wrong(`${service} ${words}.`, `calculaud deploy${choice}`));
}

function nodes({ name, away, node }: SeenHost): Finding[] {
  if (!node) return [wrong(`Host ${name} is no node of the Swarm.`, away?.hint ?? null)];
  if (node.state !== 'ready') {
    const words = `Host ${name} is ${node.state}, say the managers.`;
    return away
      ? [wrong(`${words} Nor does it answer here: ${away.why}.`, waysOutOf(name, node))]
      : [wrong(words, 'Look whether it reaches the managers: TCP 2377, TCP and UDP 7946, UDP 4789.')];
  }
  if (node.availability !== 'active') {
    return [
      wrong(
        `Host ${name} takes no containers (${node.availability}).`,
        `docker node update --availability active ${name}`,
      ),
    ];
  }
  if (!away) return [];
  return [
    {
      ...unknown(
        `Host ${name} cannot be asked from here: ${away.why}. What runs there is known from the managers alone.`,
      ),
      command: away.hint,
    },
  ];
}

/** Nothing is deployed as long as a host of the configuration is away, so whoever lost one for good has to say so. */
function waysOutOf(name: string, { role }: NonNullable<SeenHost['node']>): string {
  const remove = `docker node rm --force ${name}`;
  return (
    'Start it again. Is it lost for good, take it out of `hosts` in calculaud.yml, and then ' +
    `\`${role === 'manager' ? `docker node demote ${name} && ${remove}` : remove}\` on a manager.`
  );
}

const GIGABYTE = 1_000_000_000;

/** A twentieth, but of a large disk no more than 10 GB, and never less than one. */
function disks({ name, disks: found }: SeenHost): Finding[] {
  return found
    .filter(
      ({ free_bytes, size_bytes }) =>
        free_bytes < Math.max(GIGABYTE, Math.min(size_bytes / 20, 10 * GIGABYTE)),
    )
    .map(({ holds, free_bytes, size_bytes }) =>
      wrong(
        `The disk of ${name} (${holds.join(', ')}) has ${amount(free_bytes)} of ${amount(size_bytes)} left.`,
        'docker system df',
      ),
    );
}

function strangers({ services: live, hosts }: Seen): Finding[] {
  const known = new Set(hosts.map(({ name }) => name));
  const found = live.flatMap(({ instances }) => runningOf(instances)).filter(({ host }) => !known.has(host));
  return [...new Set(found.map(({ host }) => host))].map((host) => {
    const here = found.filter((one) => one.host === host).map(({ instance }) => instance);
    return unknown(`${here.join(', ')}: on ${host}, which is no host of calculaud.yml.`);
  });
}

function notes(seen: Seen): string[] {
  const { lock, deployment, release, configured, services: live, environment } = seen;
  const running = release?.[release.active];
  const far = deployment ? `, ${deployment.done} of ${deployment.steps} steps are done` : '';
  return [
    ...(lock?.alive ? [`${lock.who} is at work since ${inWords(lock.since)}: "${lock.command}"${far}.`] : []),
    ...(lock && !lock.alive
      ? [`${lock.who} left a lock behind ("${lock.command}"); the next command takes it over.`]
      : []),
    ...scaled('api', running?.replicas, configured.api, environment.name),
    ...scaled('worker', release?.worker?.replicas, configured.worker, environment.name),
    ...(running && running.image !== configured.image
      ? [`The configuration of ${environment.name} names another image: ${configured.image}.`]
      : []),
    ...live.flatMap((service) =>
      service.ended && isWhole(service)
        ? [
            `${service.ended.instance} ended at ${inWords(service.ended.at)} (${service.ended.why}), and was replaced.`,
          ]
        : [],
    ),
  ];
}

function scaled(
  service: string,
  count: number | undefined,
  configured: number,
  environment: string,
): string[] {
  if (count === undefined || count === configured) return [];
  return [
    `${service} is scaled to ${count}; the configuration of ${environment} says ${configured}, ` +
      'and the next deployment makes it that.',
  ];
}

/** The colour that is kept for a rollback. */
export function keptColour({ release }: Seen): Colour | null {
  if (release === null) return null;
  const kept = otherColour(release.active);
  return (release[kept]?.replicas ?? 0) > 0 ? kept : null;
}

function logs(service: string, choice: string): string {
  return `calculaud logs ${service}${choice}`;
}

function wrong(words: string, command: string | null): Finding {
  return { kind: 'wrong', words, command, lines: [] };
}

function unknown(words: string): Finding {
  return { kind: 'unknown', words, command: null, lines: [] };
}
