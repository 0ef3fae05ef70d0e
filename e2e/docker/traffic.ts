import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ProbeSummary, probeEvent } from '../../apps/cli/src/journey/probe-events.ts';
import { bareEnvironment, repository } from '../system.ts';
import type { StackEnvironment } from './stack-environment.ts';

/** Users of a stack: mixed traffic through the published port, until it is ended. */
export interface Traffic {
  readonly mark: (phase: string) => void;
  /** A mark, and when the prober heard it by its own clock: the one that the times of its failures go by. */
  readonly moment: (phase: string) => Promise<number>;
  /** Requests that have failed so far. */
  readonly failed: () => number;
  /** Requests without an answer when the prober last looked, some moments ago. */
  readonly inFlight: () => number;
  readonly end: () => Promise<ProbeSummary>;
}

interface Users {
  readonly https: number;
  /** Requests a second. */
  readonly rate: number;
  /** For so long nothing else happens, so that what comes can be compared with it. */
  readonly beforeMs?: number;
  /** Where the gateway's port is published, and what has to stand before a command that shall see it there. */
  readonly address?: string;
  readonly enter?: readonly string[];
  /** Of an administrator, where no container of the API is on this host that could make one. */
  readonly token?: string;
}

/** Resolves when the first requests have been answered, and for as long before as is wanted. */
export async function startTraffic(
  environment: Pick<StackEnvironment, 'containers' | 'docker'>,
  { https, rate, beforeMs = 0, address = '127.0.0.1', enter = [], token }: Users,
): Promise<Traffic> {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-traffic-'));
  const [gateway = ''] = await environment.containers('gateway');
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, await environment.docker('exec', gateway, 'cat', '/var/lib/haproxy/tls.pem'));
  const [command, ...line] = [
    ...enter,
    process.execPath,
    'apps/cli/dist/main.js',
    'probe',
    '--json',
    '--rate',
    String(rate),
    '--ca',
    ca,
    '--target',
    'gateway=https://stack.example.org',
    '--connect',
    `${address}:${https}`,
  ];
  const program = spawn(command, line, {
    cwd: repository,
    env: bareEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  createInterface({ input: program.stderr }).on('line', (line) => said.push(line));
  // It may end at once, while a token is made for it.
  program.stdin.on('error', () => undefined);
  const ended = once(program, 'exit').then(([code]: readonly unknown[]) => {
    throw new Error(`The traffic ended with ${String(code)}: ${said.slice(-10).join('\n')}`);
  });
  ended.catch(() => undefined);
  const made = token ?? (await Promise.race([newToken(environment), ended]));
  program.stdin.write(`${JSON.stringify({ token: made })}\n`);
  let summary: ProbeSummary | undefined;
  let inFlight = 0;
  let failed = 0;
  const heard = new Map<string, (at: number) => void>();
  const begun = new Promise<void>((resolve) => {
    createInterface({ input: program.stdout }).on('line', (line) => {
      const event = probeEvent.parse(JSON.parse(line));
      if (event.event === 'window') {
        inFlight = event.targets['gateway']?.in_flight ?? 0;
        if (event.at_ms >= beforeMs) resolve();
      }
      if (event.event === 'failure') failed += 1;
      if (event.event === 'mark') heard.get(event.phase)?.(event.at_ms);
      if (event.event === 'summary') summary = event;
    });
  });
  await Promise.race([begun, ended]);
  const mark = (phase: string): void => void program.stdin.write(`${JSON.stringify({ mark: phase })}\n`);
  return {
    mark,
    moment: async (phase) =>
      new Promise((resolve, reject) => {
        program.once('exit', () => reject(new Error(`The traffic ended before "${phase}"`)));
        heard.set(phase, resolve);
        mark(phase);
      }),
    failed: () => failed,
    inFlight: () => inFlight,
    end: async () => {
      const exit = exitOf(program);
      program.stdin.end();
      await exit;
      rmSync(folder, { recursive: true, force: true });
      if (!summary) throw new Error(`The traffic has no summary:\n${said.slice(-10).join('\n')}`);
      return summary;
    },
  };
}

/** Made in any container of the API that goes on: one that was withdrawn is there until it has finished what it has. */
async function newToken(environment: Pick<StackEnvironment, 'containers' | 'docker'>): Promise<string> {
  const all = [...(await environment.containers('api-blue')), ...(await environment.containers('api-green'))];
  const create = ['entrypoint', 'calculaud', 'token', 'create', '--role', 'admin', '--name', 'traffic'];
  const failures: unknown[] = [];
  for (const api of all) {
    try {
      return await environment.docker('exec', api, ...create);
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, `None of ${all.length} containers of the API made a token`);
}

async function exitOf(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null) return;
  await new Promise<void>((resolve) => {
    program.once('exit', () => resolve());
  });
}
