import { createInterface } from 'node:readline';
import { z } from 'zod';
import { type Cluster, eventsIn } from '../host/cluster.ts';
import type { OpenCommand } from '../host/docker-command.ts';
import { type JourneyResult, journeyEvent } from '../journey/journey-events.ts';
import { type ProbeEvent, type ProbeSummary, probeEvent } from '../journey/probe-events.ts';
import { API_PORT, apiService, GATEWAY, MANAGEMENT_PORT, SERVICES } from '../stack/names.ts';
import type { Colour } from '../stack/release-state.ts';
import { DeploymentFailure, endInWords } from './failure.ts';

/** Programs of ours that run beside the gateway and report what a user would see. */

const tokenCreated = z.object({ event: z.literal('token_created'), id: z.number(), token: z.string() });
const tokenListed = z.object({
  event: z.literal('token'),
  id: z.number(),
  name: z.string(),
  state: z.string(),
});

/** A token for as long as a deployment may last. It is made where the secrets are, and never stands in a log or argv. */
export class ProbeToken {
  readonly #cluster: Cluster;
  readonly #name: string;
  #made: { readonly id: number; readonly token: string; readonly colour: Colour } | undefined;

  constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.#name = name;
  }

  async of(colour: Colour): Promise<string> {
    if (this.#made) return this.#made.token;
    const text = await this.#cluster.exec(apiService(colour), [
      'calculaud',
      '--json',
      'token',
      'create',
      '--name',
      this.#name,
      '--role',
      'admin',
      '--expires',
      '6h',
    ]);
    const [event] = eventsIn(tokenCreated, text);
    if (!event) throw new DeploymentFailure({ waitedFor: 'a token for the probes', came: 'none was made' });
    this.#made = { ...event, colour };
    return event.token;
  }

  /** `others`: those, too, that killed commands have made for the same plan, and that nobody knows any more. */
  async revoke(colour: Colour, { others }: { readonly others: boolean }): Promise<void> {
    const mine = this.#made ? [this.#made.id] : [];
    this.#made = undefined;
    const calculaud = async (...argv: readonly string[]) =>
      this.#cluster.exec(apiService(colour), ['calculaud', ...argv]);
    const all = others
      ? eventsIn(tokenListed, await calculaud('--json', 'token', 'list'))
          .filter(({ name, state }) => name === this.#name && state === 'active')
          .map(({ id }) => id)
      : mine;
    for (const id of all) await calculaud('token', 'revoke', String(id), '--yes');
  }
}

/** A running observer. `end` asks it to finish, and waits until it has said its last. */
export interface Observer {
  readonly mark: (phase: string) => void;
  readonly end: () => Promise<void>;
  /** It ended by itself, which it should not. */
  readonly broken: Promise<never>;
}

const END_MS = 40_000;

/** Compares two colours by the same requests, and how much memory each keeps. */
export async function compareColours(
  cluster: Cluster,
  { old, new: fresh, tools, token }: Sides & { readonly tools: string; readonly token: string },
  onEvent: (event: ProbeEvent) => void,
): Promise<Observer> {
  const target = (name: string, colour: Colour) => [
    '--target',
    `${name}=http://${apiService(colour)}:${API_PORT}`,
  ];
  const program = await cluster.beside(tools, [
    'probe',
    '--json',
    '--side-by-side',
    ...target('old', old),
    ...target('new', fresh),
    '--management-port',
    String(MANAGEMENT_PORT),
    '--rate',
    '25',
    '--warm-up',
    '60',
  ]);
  return observe(program, token, (line) => {
    const event = probeEvent.safeParse(line);
    if (event.success) onEvent(event.data);
  });
}

export interface Sides {
  readonly old: Colour;
  readonly new: Colour;
}

/** Mixed traffic through the gateway, as users send it, for as long as traffic is moved about. */
export class TrafficProbe {
  readonly #observer: Observer;
  readonly #summary: { value: ProbeSummary | undefined };

  private constructor(observer: Observer, summary: { value: ProbeSummary | undefined }) {
    this.#observer = observer;
    this.#summary = summary;
  }

  static async start(cluster: Cluster, tools: string, token: string): Promise<TrafficProbe> {
    const program = await cluster.beside(tools, [
      'probe',
      '--json',
      '--rate',
      '20',
      '--target',
      `gateway=http://${SERVICES.gateway}:${GATEWAY.ports.traffic}`,
    ]);
    const summary: { value: ProbeSummary | undefined } = { value: undefined };
    const observer = observe(program, token, (line) => {
      const event = probeEvent.safeParse(line);
      if (event.success && event.data.event === 'summary') summary.value = event.data;
    });
    return new TrafficProbe(observer, summary);
  }

  mark(phase: string): void {
    this.#observer.mark(phase);
  }

  /** What it saw; undefined when it could not say. */
  async end(): Promise<ProbeSummary | undefined> {
    await this.#observer.end();
    return this.#summary.value;
  }
}

interface RunningJourneys {
  readonly observer: Observer;
  listen: (result: JourneyResult) => void;
}

/**
 * Journeys through colours, again and again, from the first gate of a deployment to its last: starting a process costs the
 * hosts more than ten journeys do. Whoever judges at the moment listens.
 */
export class Journeys {
  readonly #cluster: Cluster;
  readonly #tools: string;
  readonly #running = new Map<
    Colour,
    { readonly observer: Observer; listen: (result: JourneyResult) => void }
  >();

  constructor(cluster: Cluster, tools: string) {
    this.#cluster = cluster;
    this.#tools = tools;
  }

  /** Resolves when the program has begun; rejects when it ends, which it should not. */
  async through(
    colour: Colour,
    token: string,
    listen: (result: JourneyResult) => void,
  ): Promise<{ readonly broken: Promise<never>; readonly leave: () => void }> {
    let running = this.#running.get(colour);
    if (!running) {
      const program = await this.#cluster.beside(this.#tools, [
        'journey',
        '--json',
        '--rounds',
        '0',
        '--pause',
        '2000',
        '--url',
        `http://${SERVICES.gateway}:${GATEWAY.ports[colour]}`,
      ]);
      let first: () => void = () => undefined;
      const begun = new Promise<void>((resolve) => (first = resolve));
      const started: RunningJourneys = {
        listen,
        observer: observe(program, token, (line) => {
          const event = journeyEvent.safeParse(line);
          if (!event.success) return;
          first();
          if (event.data.event === 'journey') started.listen(event.data);
        }),
      };
      running = started;
      this.#running.set(colour, started);
      await Promise.race([begun, started.observer.broken]);
    }
    const { observer } = running;
    running.listen = listen;
    const current = running;
    return {
      broken: observer.broken,
      leave: () => {
        current.listen = () => undefined;
      },
    };
  }

  async end(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ observer }) => observer.end()));
    this.#running.clear();
  }
}

function observe(program: OpenCommand, token: string, onLine: (line: unknown) => void): Observer {
  let ending = false;
  program.stdin.write(`${JSON.stringify({ token })}\n`);
  createInterface({ input: program.stdout }).on('line', (line) => {
    if (line.startsWith('{')) onLine(JSON.parse(line));
  });
  const broken = program.ended.then(({ exitCode, lastLines }) => {
    if (ending) return new Promise<never>(() => undefined);
    throw new DeploymentFailure({
      waitedFor: 'a probe that goes on',
      came: endInWords(exitCode, lastLines),
      lastLines,
    });
  });
  // Whoever waits for it hears of it; nobody has to.
  broken.catch(() => undefined);
  return {
    mark: (phase) => program.stdin.write(`${JSON.stringify({ mark: phase })}\n`),
    broken,
    end: async () => {
      ending = true;
      program.stdin.end();
      const timer = setTimeout(() => void program.stop(), END_MS);
      await program.ended;
      clearTimeout(timer);
    },
  };
}
