import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadEnvironment } from '../../apps/cli/src/environment/file.ts';
import { type Cluster, openCluster } from '../../apps/cli/src/host/cluster.ts';
import type { ProbeSummary } from '../../apps/cli/src/journey/probe-events.ts';
import { calculaud, type Outcome } from '../../apps/cli/src/testing/command-line.ts';
import { dockerDaemon } from './daemon.ts';
import { docker } from './docker-command.ts';
import { images } from './images.ts';
import { giveImages, startThreeNodes, type ThreeNodes, type ThreeNodesHost } from './three-nodes.ts';
import { startTraffic, type Traffic } from './traffic.ts';

/**
 * A Swarm of three hosts: a new version comes container by container, then the two hosts that carry nothing but the
 * application are lost, one by a kill of everything that it runs, the other by its power. The first host has the database,
 * the files and the gateway, and stays.
 */

const https = 23_443;
/** Requests a second; what two cores bear beside three daemons. */
const rate = 20;
const replicas = 3;
const BACK_WITHIN_S = 60;
/** For a command to say that a host is away: ssh gives up after 10 s, a socket that nobody listens at is refused at once. */
const SAID_WITHIN_MS = 30_000;
/** The same code under two names: what differs is that it is another version. */
const versions = ['calculaud-a:test', 'calculaud-b:test'] as const;
const stack = 'calculaud-nodes';

let nodes: ThreeNodes;
let folder: string;
let file: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-nodes-'));
  file = join(folder, 'calculaud.yml');
  const { host: from } = await dockerDaemon();
  nodes = await startThreeNodes(['node-a', 'node-b', 'node-c']);
  const { first, others } = nodes;
  const hosts = [first, ...others];
  const used = [images.app, images.gateway, images.postgres, images.storage];
  await giveImages(from, used, hosts);
  await Promise.all(
    hosts.flatMap(({ host }) => versions.map(async (version) => docker(host, 'tag', images.app, version))),
  );
  configure(hosts);
  assertEnd(await calculaud(`init --file ${file} --self-signed --yes`), 0);
  assertEnd(await deploy(versions[0]), 0);
});
afterAll(async () => {
  await nodes.stop();
  rmSync(folder, { recursive: true, force: true });
});

function configure(hosts: readonly ThreeNodesHost[]): void {
  const document = {
    name: 'nodes',
    kind: 'staging',
    domain: 'stack.example.org',
    image: versions[0],
    hosts: hosts.map(({ name, host }) => ({
      name,
      docker: host,
      roles: host === nodes.first.host ? ['app', 'gateway', 'database', 'storage'] : ['app'],
    })),
    replicas: { api: replicas },
    gateway: { image: images.gateway, http: https + 1, https, requests_per_second: 0 },
    database: { kind: 'bundled', image: images.postgres },
    storage: { kind: 'bundled-s3', image: images.storage },
    strategy: { watch: '5s' },
    // The kernels of test machines have no ESP, which Docker encrypts with.
    encrypted_networks: false,
  };
  writeFileSync(file, stringify(document));
}

async function deploy(image: string, ...more: readonly string[]): Promise<Outcome> {
  return calculaud(['deploy', '--file', file, '--image', image, '--yes', '--json', ...more]);
}

function assertEnd({ exitCode, stdout, stderr }: Outcome, expected: number): void {
  if (exitCode !== expected) throw new Error(`ended with ${exitCode}:\n${stdout}\n${stderr}`);
}

/** People on a machine beside the three hosts. */
async function users(): Promise<Traffic> {
  const { first, beside } = nodes;
  const onFirst = async (...args: readonly string[]): Promise<string> => docker(first.host, ...args);
  const named = (service: string): string => `label=com.docker.swarm.service.name=${stack}_${service}`;
  // On whichever host the API is.
  const create = ['calculaud', 'token', 'create', '--role', 'admin', '--name', 'traffic'];
  const token = await withCluster(async (cluster) => cluster.exec('api-blue', create));
  return startTraffic(
    {
      docker: onFirst,
      containers: async (service) =>
        (await onFirst('ps', '--quiet', '--no-trunc', '--filter', named(service)))
          .split('\n')
          .filter(Boolean),
    },
    // By the end of it the gateway has met every server, and has connections that it might want to use again.
    { https, rate, beforeMs: 5000, address: first.address, enter: beside, token: token.trim() },
  );
}

async function withCluster<T>(work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await openCluster(loadEnvironment({ file }), { tolerant: true });
  try {
    return await work(cluster);
  } finally {
    await cluster.close();
  }
}

/** On which hosts containers of the API run that are meant to, by the Swarm. */
async function whereaboutsOfApi(cluster: Cluster): Promise<readonly string[]> {
  return (await cluster.tasks('api-blue')).flatMap(({ DesiredState, Status, NodeID }) =>
    DesiredState === 'running' && Status.State === 'running' && NodeID ? [NodeID] : [],
  );
}

/** Seconds until as many containers as there should be run elsewhere, and the gateway finds them all ready. */
async function untilWhole(lost: readonly ThreeNodesHost[]): Promise<number> {
  const begin = performance.now();
  const gone = new Set(lost.map(({ node }) => node));
  return withCluster(async (cluster) => {
    const gateway = await cluster.gateway();
    try {
      for (;;) {
        const alive = (await whereaboutsOfApi(cluster)).filter((node) => !gone.has(node));
        const servers = await gateway.serverCounters('blue');
        const ready = servers.filter(({ status }) => status.startsWith('UP'));
        const seconds = (performance.now() - begin) / 1000;
        if (alive.length === replicas && ready.length === replicas) return seconds;
        if (seconds > 2 * BACK_WITHIN_S) {
          const said = servers.map(({ name, status, check }) => `${name} ${status} ${check}`).join(', ');
          throw new Error(`After ${seconds} s ${alive.length} of ${replicas} run; the gateway: ${said}`);
        }
        await wait(100);
      }
    } finally {
      await gateway.close();
    }
  });
}

const BOOKS_ARE_RIGHT = { more_failures: 0, writes: { lost: 0, doubled: 0, verified: true } };

/** Loses a host under load, and tells what became of the requests. */
async function lose(
  what: string,
  lost: readonly ThreeNodesHost[],
  end: () => Promise<void>,
): Promise<{ readonly summary: ProbeSummary; readonly backAfter: number; readonly gone: number }> {
  const carried = await withCluster(whereaboutsOfApi);
  expect(carried.filter((node) => lost.some((host) => host.node === node))).not.toEqual([]);
  const traffic = await users();
  await traffic.moment('loss');
  const inFlight = traffic.inFlight();
  await end();
  // Whatever began later met a system without this host.
  const gone = await traffic.moment('without it');
  const backAfter = await untilWhole(lost);
  traffic.mark('whole again');
  const summary = await traffic.end();
  const failures = summary.failures.map(
    ({ request, what: problem, at_ms, ms }) =>
      `${request} ${problem}, from ${Math.round(at_ms - ms - gone)} ms on`,
  );
  console.log(
    `${what}: ${replicas} replicas are back after ${backAfter.toFixed(1)} s; ${summary.sent} sent at ` +
      `${Math.round(summary.sent / summary.seconds)}/s, about ${inFlight} in flight, ${summary.failed} failed ` +
      `(${failures.join('; ')}); ${JSON.stringify(summary.writes)}; ${JSON.stringify(summary.phases)}; ` +
      `slowest ${JSON.stringify(summary.slowest.slice(0, 3))}`,
  );
  return { summary, backAfter, gone };
}

/** Those that had not been sent yet when the host was gone, and failed all the same. */
function failedLater({ failures }: ProbeSummary, gone: number): readonly string[] {
  return failures.flatMap(({ request, what, at_ms, ms }) =>
    // Both times are rounded.
    at_ms - ms > gone + 1 ? [`${request} ${what}, ${Math.round(at_ms - ms - gone)} ms after the loss`] : [],
  );
}

test('the containers are spread over all hosts', async () => {
  const { first, others } = nodes;
  const found = await withCluster(whereaboutsOfApi);
  expect(found.toSorted()).toEqual([first, ...others].map(({ node }) => node).toSorted());
});

test('a rolling update under load fails no request', async () => {
  const traffic = await users();
  const begin = performance.now();
  const outcome = await deploy(versions[1], '--strategy', 'rolling');
  assertEnd(outcome, 0);
  const seconds = (performance.now() - begin) / 1000;
  const summary = await traffic.end();
  console.log(
    `rolling: ${seconds.toFixed(1)} s; ${summary.sent} sent at ${Math.round(summary.sent / summary.seconds)}/s, ` +
      `${summary.failed} failed; ${JSON.stringify(summary.writes)}; ${JSON.stringify(summary.phases)}`,
  );
  expect(summary.failures).toEqual([]);
  expect(summary).toMatchObject({ failed: 0, ...BOOKS_ARE_RIGHT });
  expect(await withCluster(whereaboutsOfApi)).toHaveLength(replicas);
});

test('a host whose containers are killed takes along what it was answering, and nothing else', async () => {
  const [, host] = nodes.others;
  const { summary, backAfter, gone } = await lose('kill -9', [host], host.kill);
  expect(failedLater(summary, gone)).toEqual([]);
  expect(summary).toMatchObject(BOOKS_ARE_RIGHT);
  expect(backAfter).toBeLessThan(BACK_WITHIN_S);
}, 180_000);

test('while it is away everything says so, nothing hangs, and what is to be done helps', async () => {
  const { first, others } = nodes;
  const [left, lost] = others;
  const timed = async (line: string): Promise<Outcome> => {
    const begin = performance.now();
    const outcome = await calculaud(line);
    expect(performance.now() - begin).toBeLessThan(SAID_WITHIN_MS);
    return outcome;
  };
  const looked = await timed(`status --file ${file}`);
  expect(looked.exitCode).toBe(2);
  expect(looked.stdout).toContain(`✗ Host ${lost.name} is down, say the managers.`);
  expect(looked.stdout).toContain(`docker node rm --force ${lost.name}`);
  expect(looked.stdout).toMatch(/Release +blue: .*3 of 3 ready/);

  for (const line of [`plan --file ${file}`, `deploy --file ${file} --image ${versions[0]} --yes`]) {
    const refused = await timed(line);
    expect({ exitCode: refused.exitCode, said: refused.stderr }).toEqual({
      exitCode: 3,
      said: expect.stringMatching(`Host ${lost.name} \\(${lost.host}\\) cannot be used: .*ECONNREFUSED`),
    });
    expect(refused.stderr).toContain('calculaud status');
  }

  // As it was told: out of the configuration, and out of the Swarm.
  configure([first, left]);
  await docker(first.host, 'node', 'rm', '--force', lost.name);
  const service = ['service', 'inspect', `${stack}_api-blue`];
  const image = await docker(
    first.host,
    ...service,
    '--format',
    '{{.Spec.TaskTemplate.ContainerSpec.Image}}',
  );
  expect(await timed(`plan --file ${file} --image ${image}`)).toMatchObject({
    exitCode: 0,
    stderr: expect.stringContaining('Everything is as it should be.'),
  });
  assertEnd(await timed(`status --file ${file}`), 0);
});

test('a host without power takes along what it was answering, and nothing else', async () => {
  const [host] = nodes.others;
  const sessions = await sessionsOf(host);
  expect(sessions).not.toEqual([]);
  const { summary, backAfter, gone } = await lose('power off', [host], host.powerOff);
  expect(failedLater(summary, gone)).toEqual([]);
  expect(summary).toMatchObject(BOOKS_ARE_RIGHT);
  expect(backAfter).toBeLessThan(BACK_WITHIN_S);
  // What it had locked would be locked for everybody else for as long as the database believes in it.
  expect(
    (await askDatabase('select pid from pg_stat_activity')).filter((pid) => sessions.includes(pid)),
  ).toEqual([]);
}, 180_000);

/** The processes of the database that serve containers of this host. */
async function sessionsOf({ host }: ThreeNodesHost): Promise<readonly string[]> {
  const ids = await docker(host, 'ps', '--quiet', '--filter', `name=${stack}_`);
  const format = `{{with index .NetworkSettings.Networks "${stack}_data"}}{{.IPAddress}}{{end}}`;
  const addresses = await docker(host, 'inspect', '--format', format, ...ids.split('\n'));
  const list = addresses.split('\n').filter(Boolean);
  return askDatabase(
    `select pid from pg_stat_activity where client_addr in (${list.map((address) => `'${address}'`).join(', ')})`,
  );
}

/** The lines of the answer. */
async function askDatabase(query: string): Promise<readonly string[]> {
  const { host } = nodes.first;
  const database = await docker(host, 'ps', '--quiet', '--filter', `name=${stack}_database`);
  const psql = ['psql', '--username=calculaud', '--dbname=postgres', '--tuples-only', '--no-align'];
  return (await docker(host, 'exec', database, ...psql, '--command', query)).split('\n').filter(Boolean);
}
