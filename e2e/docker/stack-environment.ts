import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { stringify } from 'yaml';
import { calculaud } from '../../apps/cli/src/testing/command-line.ts';
import { docker } from './docker-command.ts';
import { images } from './images.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A stack as an operator gets it: `calculaud init`, `calculaud render`, `docker stack deploy`. */
export interface StackEnvironment {
  readonly host: string;
  readonly stack: string;
  /** Of calculaud.yml. */
  readonly file: string;
  readonly docker: (...args: readonly string[]) => Promise<string>;
  dockerWithInput(input: string, ...args: readonly string[]): Promise<string>;
  /** Writes another calculaud.yml in place of the one before. */
  configure(parts: Readonly<Record<string, unknown>>): void;
  deploy(): Promise<void>;
  /** Through the published port. */
  get(path: string, options?: { readonly headers?: Readonly<Record<string, string>> }): Promise<Answer>;
  /** The same with a body, as JSON. */
  post(path: string, body: unknown, headers: Readonly<Record<string, string>>): Promise<Answer>;
  /** The ids of the running containers of a service. */
  containers(service: string): Promise<readonly string[]>;
  /** Waits until a condition holds; when it does not in time, tells what was seen last and what the service logged. */
  until<T>(what: string, service: string, look: () => Promise<T | undefined>, within?: number): Promise<T>;
  remove(): Promise<void>;
}

const POLL_MS = 200;

/** What a killed run left under the same name goes first. */
export async function stackEnvironment(
  host: string,
  name: string,
  { https, ...parts }: { readonly https: number } & Readonly<Record<string, unknown>>,
): Promise<StackEnvironment> {
  const folder = mkdtempSync(join(tmpdir(), `calculaud-${name}-`));
  const file = join(folder, 'calculaud.yml');
  const stack = `calculaud-${name}`;
  const call = async (...args: readonly string[]): Promise<string> => docker(host, ...args);
  const node = await call('info', '--format', '{{.Name}}');
  const agent = new Agent({ rejectUnauthorized: false, keepAlive: true });

  const configure = (more: Readonly<Record<string, unknown>>): void => {
    const document = {
      name,
      kind: 'staging',
      domain: 'stack.example.org',
      image: images.app,
      hosts: [{ name: node, docker: host }],
      replicas: { api: 1 },
      gateway: { image: images.gateway, http: https + 1, https, requests_per_second: 0 },
      database: { kind: 'bundled', image: images.postgres, pooler_image: images.pooler },
      ...parts,
      ...more,
    };
    writeFileSync(file, stringify(document));
  };

  const containers = async (service: string): Promise<readonly string[]> =>
    linesOf(
      await call(
        'ps',
        '--quiet',
        '--no-trunc',
        '--filter',
        `label=com.docker.swarm.service.name=${stack}_${service}`,
      ),
    );

  const remove = async (): Promise<void> => {
    agent.destroy();
    await removeStack(call, stack);
    rmSync(folder, { recursive: true, force: true });
  };

  const send = async (
    method: 'GET' | 'POST',
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: https,
          method,
          path,
          agent,
          timeout: 5000,
          headers: { host: 'stack.example.org', ...headers },
        },
        (incoming) => {
          text(incoming).then(
            (said) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: said }),
            reject,
          );
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 5 s')));
      outgoing.on('error', reject).end(body);
    });

  await removeStack(call, stack);
  configure({});
  return {
    host,
    stack,
    file,
    docker: call,
    dockerWithInput: async (input, ...args) => withInput(host, input, args),
    configure,
    containers,
    remove,
    deploy: async () => {
      const init = await calculaud(`init --file ${file} --self-signed --yes`);
      if (init.exitCode !== 0) throw new Error(`calculaud init ended with ${init.exitCode}:\n${init.stderr}`);
      const { stdout: stackFile } = await calculaud(`render --file ${file}`);
      // What an operator types without our command: the file by standard input.
      const options = ['--prune', '--resolve-image', 'never', '--compose-file', '-'];
      await withInput(host, stackFile, ['stack', 'deploy', ...options, stack]);
    },
    get: async (path, { headers = {} } = {}) => send('GET', path, headers),
    post: async (path, body, headers) =>
      send('POST', path, { 'content-type': 'application/json', ...headers }, JSON.stringify(body)),
    until: async (what, service, look, within = 60_000) => {
      const deadline = performance.now() + within;
      let last = 'nothing';
      while (performance.now() < deadline) {
        try {
          const found = await look();
          if (found !== undefined) return found;
          last = 'not yet';
        } catch (error) {
          last = error instanceof Error ? error.message : String(error);
        }
        await wait(POLL_MS);
      }
      const tasks = await call(
        'service',
        'ps',
        '--no-trunc',
        '--format',
        '{{.CurrentState}} {{.Error}}',
        `${stack}_${service}`,
      );
      const logs = await call('service', 'logs', '--tail', '10', '--raw', `${stack}_${service}`);
      throw new Error(
        `Waited ${within} ms for: ${what}. Last: ${last}\nTasks of ${service}:\n${tasks}\nIts last lines:\n${logs}`,
      );
    },
  };
}

async function withInput(host: string, input: string, args: readonly string[]): Promise<string> {
  const child = spawn('docker', ['--host', host, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  // Whoever ends early does not read the rest; how it ended is what counts.
  child.stdin.on('error', () => undefined).end(input);
  const [said, complaints, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('close', resolve)),
  ]);
  if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}: ${complaints}${said}`);
  return said.trim();
}

/** The stack and everything that is called like it; Swarm lets go of its containers some moments later. */
async function removeStack(call: StackEnvironment['docker'], stack: string): Promise<void> {
  const services = linesOf(await call('service', 'ls', '--quiet', '--filter', `name=${stack}`));
  if (services.length > 0) await call('service', 'rm', ...services);
  const ours = ['--filter', `label=com.docker.stack.namespace=${stack}`];
  for (;;) {
    // Jobs (migrations) are no part of the stack, but they are called like it.
    const left = linesOf(await call('ps', '--all', '--quiet', '--filter', `name=${stack}[-_]`));
    if (left.length === 0) break;
    await call('rm', '--force', ...left).catch(() => undefined);
    await wait(POLL_MS);
  }
  for (const [kind, ...filter] of [
    ['network', ...ours],
    ['config', '--filter', `name=${stack}_`],
    ['config', '--filter', `name=${stack}.`],
    ['secret', '--filter', `name=${stack}_`],
    ['volume', '--filter', `name=${stack}_`],
  ] as const) {
    for (;;) {
      const ids = linesOf(await call(kind, 'ls', '--quiet', ...filter));
      if (ids.length === 0) break;
      // Swarm counts a task to what it used for some moments after its container is gone.
      const removed = await call(kind, 'rm', ...ids).catch(() => undefined);
      if (removed === undefined) await wait(POLL_MS);
    }
  }
}

function linesOf(output: string): string[] {
  return output.split('\n').filter(Boolean);
}
