import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { endDaemon, recordDaemon } from './abandoned-daemons.ts';
import { entranceOf, launch, throwAwayFolder } from './daemon.ts';
import { docker } from './docker-command.ts';

const run = promisify(execFile);

/** A host of the swarm: a dockerd that believes to be alone on a machine of that name, with one cable. */
export interface ThreeNodesHost {
  readonly name: string;
  /** What DOCKER_HOST has to be. */
  readonly host: string;
  readonly address: string;
  /** As the swarm knows it. */
  readonly node: string;
  /** Ends the daemon and all its containers at once, as `kill -9` of each of them would; resolves when they are gone. */
  readonly kill: () => Promise<void>;
  /** Pulls the cable first, so that nobody hears of the end: a machine that lost its power says goodbye to nobody. */
  readonly powerOff: () => Promise<void>;
}

export interface ThreeNodes {
  /** The only manager. */
  readonly first: ThreeNodesHost;
  readonly others: readonly [ThreeNodesHost, ThreeNodesHost];
  /** To be put before a command that shall run on a machine beside the three, on the same network. */
  readonly beside: readonly string[];
  readonly stop: () => Promise<void>;
}

/** For documentation: no address of Docker's own pools, and none that the machine has a route to. */
const addressOf = (last: number): string => `198.51.100.${last}`;

/**
 * Three hosts in one Swarm on one machine: each a daemon in network, mount, process and host name namespaces of its own, on a
 * bridge in a further network. No host has a way to the outside, so a name that Docker cannot know is refused at once (a
 * resolver that stays silent would cost each start of a task 20 s).
 *
 * The first one alone is manager. It is the one that the tests keep, as it has what cannot be lost (database, gateway), and
 * so the others can be lost one after the other without a question of majorities.
 */
export async function startThreeNodes(names: readonly [string, string, string]): Promise<ThreeNodes> {
  const begun: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(begun.map(async (end) => end()));
  };
  try {
    const network = await startSwitch(begun);
    const [one, two, three] = await Promise.all([
      startHost(network, names[0], 1, begun),
      startHost(network, names[1], 2, begun),
      startHost(network, names[2], 3, begun),
    ]);
    const placed = ({ address }: Host): string[] => [
      '--advertise-addr',
      address,
      '--data-path-addr',
      address,
    ];
    await docker(one.host, 'swarm', 'init', ...placed(one));
    const token = await docker(one.host, 'swarm', 'join-token', '--quiet', 'worker');
    for (const other of [two, three]) {
      await docker(other.host, 'swarm', 'join', '--token', token, ...placed(other), `${one.address}:2377`);
    }
    const [first, second, third] = await Promise.all([inSwarm(one), inSwarm(two), inSwarm(three)]);
    return { first, others: [second, third], beside: entranceOf(network), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Images of one daemon for all hosts, as they have no registry: what it saves is read by all of them at the same time. */
export async function giveImages(
  from: string,
  images: readonly string[],
  hosts: readonly Pick<ThreeNodesHost, 'host'>[],
): Promise<void> {
  const saving = spawn('docker', ['--host', from, 'save', ...images], { stdio: ['ignore', 'pipe', 'pipe'] });
  const loading = hosts.map(({ host }) => {
    const load = spawn('docker', ['--host', host, 'load', '--quiet'], { stdio: ['pipe', 'ignore', 'pipe'] });
    // Whoever ends early does not read the rest; how it ended is what counts.
    load.stdin.on('error', () => undefined);
    saving.stdout.pipe(load.stdin);
    return load;
  });
  await Promise.all(
    [saving, ...loading].map(async (child) => {
      const [code, said] = await Promise.all([
        new Promise<number | null>((resolve) => child.on('close', resolve)),
        text(child.stderr),
      ]);
      if (code !== 0) throw new Error(`The images could not be handed over: ${said}`);
    }),
  );
}

/** The network between the hosts; the number of its process. */
async function startSwitch(begun: (() => Promise<void>)[]): Promise<number> {
  const folder = throwAwayFolder();
  begun.push(async () => endDaemon(folder, { removeFolder: true }));
  const script =
    'ip link set lo up && ip link add switch type bridge && ' +
    `ip addr add ${addressOf(254)}/24 dev switch && ip link set switch up && echo && { sleep infinity & wait; }`;
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  // By its last word the next run finds it, when this one is killed.
  const child = spawn(
    'unshare',
    [...namespaces, 'sh', '-c', script, 'sh', `unix://${join(folder, 'sock')}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    },
  );
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error('The switch has no process');
  recordDaemon(folder, pid);
  child.unref();
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) =>
      reject(new Error(`The switch ended with ${code}; it needs root and iproute2`)),
    );
  });
  child.stdout.destroy();
  return pid;
}

type Host = Omit<ThreeNodesHost, 'node'>;

/** A host without a swarm. */
async function startHost(
  network: number,
  name: string,
  number: number,
  begun: (() => Promise<void>)[],
): Promise<Host> {
  const folder = throwAwayFolder();
  begun.push(async () => endDaemon(folder, { removeFolder: true }));
  const address = addressOf(number);
  const port = `port${number}`;
  const onSwitch = async (...args: readonly string[]): Promise<void> => {
    const [program = '', ...line] = [...entranceOf(network), 'ip', 'link', ...args];
    await run(program, line);
  };
  const script =
    'hostname "$1" && ip link set lo up && echo && read -r _ && ' +
    'ip addr add "$2/24" dev eth0 && ip link set eth0 up && shift 2 && { dockerd "$@" >&2 & wait; }';
  const host = await launch(folder, {
    namespaces: ['--uts'],
    firstProcess: ['sh', '-c', script, 'sh', name, address],
    prepare: async (pid) => {
      await onSwitch('add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
      await onSwitch('set', port, 'master', 'switch', 'up');
    },
  });
  const kill = async (): Promise<void> => endDaemon(folder, { removeFolder: false });
  return {
    name,
    host,
    address,
    kill,
    powerOff: async () => {
      await onSwitch('set', port, 'down');
      await kill();
    },
  };
}

async function inSwarm(host: Host): Promise<ThreeNodesHost> {
  return { ...host, node: await docker(host.host, 'info', '--format', '{{.Swarm.NodeID}}') };
}
