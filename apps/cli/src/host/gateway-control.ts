import { setTimeout as pause } from 'node:timers/promises';
import { UNCHECKED } from '../stack/gateway.ts';
import { backendName, GATEWAY, TRAFFIC_KEYS } from '../stack/names.ts';
import { COLOURS, type Colour } from '../stack/release-state.ts';
import type { DockerCommand } from './docker-command.ts';
import {
  parseInfo,
  parseMap,
  parseMapFile,
  parseProcesses,
  parseServers,
  parseStat,
  type Processes,
  type ServerState,
  type Stat,
} from './haproxy-answers.ts';
import { GatewayError, HaproxySession, type OpenProgram } from './haproxy-session.ts';

/** Runs programs where HAProxy runs. */
export interface GatewayContainer {
  /** To its end; the answer is its standard output. Fails with what it said unless it ends with 0. */
  readonly run: (argv: readonly string[], input?: string) => Promise<string>;
  readonly open: (argv: readonly string[]) => OpenProgram;
}

export function gatewayContainer(docker: DockerCommand, container: string): GatewayContainer {
  const execute = (argv: readonly string[]) => ['exec', '-i', container, ...argv];
  return {
    run: async (argv, input) => (await docker.run(execute(argv), { input: input ?? '' })).stdout,
    open: (argv) => docker.open(execute(argv)),
  };
}

/** Who answers users. `canary` percent of the requests go to `next`, the rest to `active`. */
export interface Traffic {
  readonly active: Colour | null;
  readonly next: Colour | null;
  readonly canary: number;
}

/** Where HAProxy has its sockets and files, inside the container. */
export interface GatewayPaths {
  readonly runtimeSocket: string;
  readonly masterSocket: string;
  readonly trafficMap: string;
  readonly config: string;
  readonly serverState: string;
}

interface Options {
  readonly paths?: GatewayPaths;
  /** For one answer of HAProxy. */
  readonly timeoutMs?: number;
}

const NOBODY = 'none';

/**
 * Switches the traffic between the colours, through HAProxy's runtime API, and reads its counters. Every change is done
 * at run time first (that is the moment of the switch), then written to disk, so that a restart agrees, then both are
 * read back. All of it may be repeated.
 */
export class GatewayControl {
  readonly #container: GatewayContainer;
  readonly #paths: GatewayPaths;
  readonly #session: HaproxySession;

  constructor(container: GatewayContainer, { paths = GATEWAY, timeoutMs = 5000 }: Options = {}) {
    this.#container = container;
    this.#paths = paths;
    this.#session = new HaproxySession(() => container.open(relay(paths.runtimeSocket)), timeoutMs);
  }

  /** What HAProxy does now, and what it would do after a restart. */
  async traffic(): Promise<{ readonly running: Traffic; readonly onDisk: Traffic }> {
    const { trafficMap } = this.#paths;
    const [running, onDisk] = await Promise.all([
      this.#session.ask(`show map ${trafficMap}`),
      this.#container.run(['cat', trafficMap]),
    ]);
    return { running: trafficOf(parseMap(running)), onDisk: trafficOf(parseMapFile(onDisk)) };
  }

  /** All requests that come from now on. Answers how long HAProxy took to do it. */
  async switchTo(colour: Colour): Promise<{ readonly ms: number }> {
    // Begins the conversation, if there is none: starting a program is no part of the switch.
    await this.#session.ask('show version');
    return this.#direct({ active: colour, next: null, canary: 0 }, ['active', 'canary', 'next']);
  }

  /** That many percent of the requests go to the colour, the others where they went. */
  async setCanary(percent: number, colour: Colour): Promise<{ readonly ms: number }> {
    if (!Number.isInteger(percent) || percent < 0 || percent > 100) {
      throw new Error(`${percent} is no percentage`);
    }
    const { running } = await this.traffic();
    // Nobody is sent to a colour that was meant before.
    if (running.next !== colour) await this.#set('canary', '0');
    return this.#direct({ active: running.active, next: colour, canary: percent }, ['next', 'canary']);
  }

  /** No canary any more: everybody goes where most went. */
  async clear(): Promise<{ readonly ms: number }> {
    const { running } = await this.traffic();
    return this.#direct({ active: running.active, next: null, canary: 0 }, ['canary', 'next']);
  }

  /** Counters of frontends and backends; those of the colours are called backendName(colour). */
  async counters(): Promise<ReadonlyMap<string, Stat>> {
    const stats = parseStat(await this.#session.ask('show stat -1 3 -1'));
    return new Map(stats.map((stat) => [stat.proxy, stat]));
  }

  /** Counters of each server of a colour that has an address and is checked. */
  async serverCounters(colour: Colour): Promise<readonly Stat[]> {
    const stats = parseStat(await this.#session.ask(`show stat ${backendName(colour)} 4 -1`));
    return stats.filter(({ name, status }) => !status.startsWith('MAINT') && !name.startsWith(UNCHECKED));
  }

  async servers(): Promise<readonly ServerState[]> {
    return parseServers(await this.#session.ask('show servers state'));
  }

  async info(): Promise<ReadonlyMap<string, string>> {
    return parseInfo(await this.#session.ask('show info'));
  }

  /**
   * Hands a configuration over to a new worker of the same container; its sockets stay open, the worker before finishes
   * what it has. A configuration that HAProxy refuses changes nothing, and neither does one with which no worker starts.
   */
  async reload(text: string): Promise<void> {
    const { config, serverState, masterSocket } = this.#paths;
    await this.#replaceFile(`${config}.next`, text);
    await this.#container.run(['haproxy', '-c', '-f', `${config}.next`]);
    const known = await this.#container.run(['cat', config]);
    const { running } = await this.traffic();
    await this.#writeMap(running);
    // Without it the new worker knows no address of any server before it has asked for them.
    await this.#replaceFile(serverState, `${await this.#session.ask('show servers state')}\n`);
    await this.#session.close();

    const before = parseProcesses(await this.#askMaster('show proc'));
    await this.#container.run(['mv', `${config}.next`, config]);
    await this.#askMaster('reload');
    if (await this.#hasNewWorkers(before)) return;
    await this.#replaceFile(config, known);
    await this.#askMaster('reload');
    throw new GatewayError(
      `HAProxy started no worker with the new configuration; the one before is in force again (${masterSocket})`,
    );
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  async #direct(wanted: Traffic, order: readonly (keyof Traffic)[]): Promise<{ readonly ms: number }> {
    const begin = performance.now();
    for (const key of order) await this.#set(key, wordOf(wanted[key]));
    const ms = performance.now() - begin;
    await this.#writeMap(wanted);
    const { running, onDisk } = await this.traffic();
    for (const [where, found] of [
      ['HAProxy', running],
      ['its file', onDisk],
    ] as const) {
      if (!same(found, wanted)) {
        throw new GatewayError(
          `The traffic should be ${inWords(wanted)}, but by ${where} it is ${inWords(found)}`,
        );
      }
    }
    return { ms };
  }

  async #set(key: keyof Traffic, value: string): Promise<void> {
    const { trafficMap } = this.#paths;
    const answer = await this.#session.ask(`set map ${trafficMap} ${key} ${value}`);
    if (/not found/.test(answer)) {
      const added = await this.#session.ask(`add map ${trafficMap} ${key} ${value}`);
      if (added) throw new GatewayError(`HAProxy does not take ${key} ${value}: ${added}`);
    } else if (answer) {
      throw new GatewayError(`HAProxy does not take ${key} ${value}: ${answer}`);
    }
  }

  async #writeMap(traffic: Traffic): Promise<void> {
    const lines = TRAFFIC_KEYS.map((key) => `${key} ${wordOf(traffic[key])}\n`);
    await this.#replaceFile(this.#paths.trafficMap, lines.join(''));
  }

  /** At no moment the file is half written, or gone after a loss of power. */
  async #replaceFile(path: string, text: string): Promise<void> {
    const script = 'cat > "$1.written" && sync "$1.written" && mv "$1.written" "$1"';
    await this.#container.run(['sh', '-c', script, 'sh', path], text);
  }

  async #askMaster(command: string): Promise<string> {
    return this.#container.run(relay(this.#paths.masterSocket), `${command}\n`);
  }

  async #hasNewWorkers(before: Processes): Promise<boolean> {
    const deadline = performance.now() + 10_000;
    while (performance.now() < deadline) {
      // The master closes its socket while it reads the configuration.
      const { workers, failedReloads } = parseProcesses(await this.#askMaster('show proc').catch(() => ''));
      if (failedReloads > before.failedReloads) return false;
      if (workers.length > 0 && workers.every((pid) => !before.workers.includes(pid))) return true;
      await pause(100);
    }
    return false;
  }
}

/**
 * Connects its standard input and output with a socket. Perl, because every Debian has it, and neither socat nor nc is in
 * the gateway's image.
 */
export function relay(socket: string): string[] {
  return ['perl', '-MIO::Socket::UNIX', '-MIO::Select', '-e', RELAY, socket];
}

const RELAY = `
my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$ARGV[0]: $!\\n";
my $readers = IO::Select->new($socket, \\*STDIN);
while (1) {
  for my $from ($readers->can_read) {
    my $size = sysread($from, my $data, 65536);
    if (!$size) {
      exit 0 if $from == $socket;
      $readers->remove($from);
      shutdown($socket, 1);
      next;
    }
    my $to = $from == $socket ? \\*STDOUT : $socket;
    for (my $written = 0; $written < $size;) {
      my $part = syswrite($to, $data, $size - $written, $written) or exit 1;
      $written += $part;
    }
  }
}`;

function trafficOf(map: ReadonlyMap<string, string>): Traffic {
  const colour = (key: string) => COLOURS.find((known) => known === map.get(key)) ?? null;
  return { active: colour('active'), next: colour('next'), canary: Number(map.get('canary') ?? 0) };
}

function wordOf(value: Traffic[keyof Traffic]): string {
  return String(value ?? NOBODY);
}

function same(a: Traffic, b: Traffic): boolean {
  return a.active === b.active && a.next === b.next && a.canary === b.canary;
}

function inWords({ active, next, canary }: Traffic): string {
  return `${active ?? 'by readiness'}${canary > 0 ? `, ${canary} % ${next ?? 'nobody'}` : ''}`;
}
