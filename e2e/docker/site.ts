import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type DockerDaemon, startDaemon } from './daemon.ts';

const main = fileURLToPath(new URL('../../apps/cli/src/main.ts', import.meta.url));
const registry = fileURLToPath(new URL('registry.ts', import.meta.url));
const loader = fileURLToPath(import.meta.resolve('tsx'));

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Options {
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with all that was said on standard error so far; true ends the program with this signal. */
  readonly end?: { readonly when: (stderr: string) => boolean; readonly signal: NodeJS.Signals };
}

/** A place that no network reaches: a Docker daemon of its own, and whatever runs there sees its loopback alone. */
export interface Site {
  readonly host: string;
  /** A program in a folder. */
  run(argv: readonly string[], folder: string, options?: Options): Promise<Ended>;
  calculaud(line: string, folder: string, options?: Options): Promise<Ended>;
  /** The words that `calculaud` with this line consists of. */
  command(line: string): readonly string[];
  /** The port of a registry that only this place reaches, and its end. */
  startRegistry(): Promise<{ readonly port: string; readonly stop: () => Promise<void> }>;
  stop(): Promise<void>;
}

export async function startSite(): Promise<Site> {
  const daemon = await startDaemon();
  return siteOf(daemon);
}

/** The same for a daemon that is there already. */
export function siteOf(daemon: DockerDaemon): Site {
  const { host, enter } = daemon;
  const run: Site['run'] = async (argv, folder, options = {}) =>
    runIn([...enter, ...argv], folder, host, options);
  const command = (line: string): string[] => [
    process.execPath,
    '--import',
    loader,
    main,
    ...line.split(' '),
  ];
  return {
    host,
    run,
    command,
    calculaud: async (line, folder, options) => run(command(line), folder, options),
    startRegistry: async () => {
      const argv = [...enter, process.execPath, '--import', loader, registry];
      const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
      const port = await new Promise<string>((resolve) => {
        createInterface({ input: child.stdout }).once('line', resolve);
      });
      return {
        port,
        stop: async () => {
          const closed = once(child, 'close');
          child.stdin.end();
          await closed;
        },
      };
    },
    stop: async () => daemon.stop(),
  };
}

async function runIn(
  [program = '', ...args]: readonly string[],
  folder: string,
  host: string,
  { environment, end }: Options,
): Promise<Ended> {
  // Nothing of the developer's own settings, and least of all his Docker.
  const { PATH, HOME = folder } = process.env;
  const env = { PATH, HOME, DOCKER_HOST: host, ...environment };
  const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  let ended = false;
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
      if (ended || stream !== 'stderr' || !end?.when(said.stderr)) return;
      ended = true;
      child.kill(end.signal);
    });
  }
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  return { exitCode, ...said };
}
