import { execFile } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { docker } from './docker-command.ts';

const run = promisify(execFile);

/** Containers, volumes and a network of one test file, which vanish together. */
export interface Sandbox {
  readonly network: string;
  docker(...args: readonly string[]): Promise<string>;
  /** `docker run --detach` in the network; its id. */
  start(options: readonly string[], image: string, ...command: readonly string[]): Promise<string>;
  /** `docker run --rm` in the network; what it printed. */
  run(options: readonly string[], image: string, ...command: readonly string[]): Promise<string>;
  /** The last lines that a container wrote, to either output. */
  lastLines(container: string): Promise<string>;
  /** The address of a container in the network. */
  addressOf(container: string): Promise<string>;
  remove(): Promise<void>;
}

/** What a run of the tests left that was killed, goes first. */
export async function openSandbox(host: string, name: string): Promise<Sandbox> {
  const network = `${name}-test`;
  const label = `calculaud.test.sandbox=${name}`;
  const call: Sandbox['docker'] = async (...args) => docker(host, ...args);
  const common = ['--network', network, '--label', label];
  const idsOf = async (...list: readonly string[]): Promise<string[]> =>
    (await call(...list, '--quiet', '--filter', `label=${label}`)).split('\n').filter((id) => id !== '');
  const removeAll = async (): Promise<void> => {
    const containers = await idsOf('container', 'ls', '--all');
    if (containers.length > 0) await call('container', 'rm', '--force', '--volumes', ...containers);
    const networks = await idsOf('network', 'ls');
    if (networks.length > 0) await call('network', 'rm', ...networks);
  };
  await removeAll();
  await call('network', 'create', '--label', label, network);
  return {
    network,
    docker: call,
    start: async (options, image, ...command) =>
      call('run', '--detach', ...common, ...options, image, ...command),
    run: async (options, image, ...command) => call('run', '--rm', ...common, ...options, image, ...command),
    lastLines: async (container) => {
      const { stdout, stderr } = await run('docker', ['--host', host, 'logs', '--tail', '10', container]);
      return stdout + stderr;
    },
    addressOf: async (container) =>
      call('inspect', '--format', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container),
    remove: removeAll,
  };
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * Asks a URL of a container until the answer is as expected. When the container ends before that, or `within` is over, the
 * error tells what was waited for, what came instead, and the last lines that the container wrote.
 */
export async function waitFor(
  sandbox: Sandbox,
  container: string,
  url: string,
  expected: (answer: Answer) => boolean,
  { within = 30_000 }: { readonly within?: number } = {},
): Promise<Answer> {
  const deadline = performance.now() + within;
  let last = 'no answer';
  for (;;) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
      const answer = { status: response.status, body: await response.text() };
      if (expected(answer)) return answer;
      last = `${answer.status} ${answer.body}`;
    } catch (error) {
      last = error instanceof Error ? `${error.message}: ${String(error.cause)}` : String(error);
    }
    const running = await sandbox.docker('inspect', '--format', '{{.State.Running}}', container);
    if (running !== 'true' || performance.now() > deadline) {
      const logs = await sandbox.lastLines(container);
      const state = running === 'true' ? `not within ${within} ms` : 'the container ended';
      throw new Error(
        `${url} did not answer as expected (${state}); last: ${last}\nLast log lines:\n${logs}`,
      );
    }
    await wait(20);
  }
}
