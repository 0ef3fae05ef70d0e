import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { keepLastLines, lastLines } from './last-lines.ts';

/** A docker client that did not end with 0, or that could not be started. */
export class DockerCommandError extends Error {
  override readonly name = 'DockerCommandError';
  readonly args: readonly string[];
  /** Null when a signal or a limit of time ended it, or when it never started. */
  readonly exitCode: number | null;
  /** What it said last on standard error, or on standard output where it said nothing there. */
  readonly lastLines: readonly string[];

  constructor(
    args: readonly string[],
    exitCode: number | null,
    how: string,
    lines: readonly string[],
    options?: ErrorOptions,
  ) {
    super([`docker ${args.join(' ')} ${how}`, ...lines].join('\n  '), options);
    this.args = args;
    this.exitCode = exitCode;
    this.lastLines = lines;
  }
}

interface RunOptions {
  readonly input?: string | Buffer | Readable;
  /** Instead of keeping what it writes to standard output: for an image of some hundred megabytes. */
  readonly output?: Writable;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly folder?: string;
  /** Each line as it comes, for a progress that somebody watches. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
}

/** A docker client that goes on: `exec -i`, `run -i`, `logs --follow`. */
export interface OpenCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** How it ended; never rejects. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly lastLines: readonly string[] }>;
  readonly stop: () => Promise<void>;
}

/** The docker client, for what is easier asked of it than of the engine. Always by arguments, never through a shell. */
export interface DockerCommand {
  /** To its end; fails unless that is 0. */
  readonly run: (
    args: readonly string[],
    options?: RunOptions,
  ) => Promise<{ readonly stdout: string; readonly stderr: string }>;
  readonly open: (args: readonly string[], options?: Pick<RunOptions, 'signal' | 'folder'>) => OpenCommand;
  /** With the standard streams of this process as its own; resolves with how it ended. */
  readonly attach: (args: readonly string[]) => Promise<number>;
}

/** What a command may say before it is cut off: nothing that is asked for comes near to it. */
const LONGEST_OUTPUT = 64 * 1024 * 1024;
/** Between being asked to end and being made to. */
const GRACE = 3000;

export function dockerCommand(host: string): DockerCommand {
  const start = (args: readonly string[], { folder, signal }: Pick<RunOptions, 'folder' | 'signal'>) => {
    signal?.throwIfAborted();
    const child = spawn('docker', ['--host', host, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(folder && { cwd: folder }),
    });
    // Whoever ends early does not read the rest; how it ended is what counts.
    child.stdin.on('error', () => undefined);
    let startFailure: Error | undefined;
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      child.kill('SIGTERM');
      timer ??= setTimeout(() => child.kill('SIGKILL'), GRACE);
    };
    signal?.addEventListener('abort', stop, { once: true });
    const ended = new Promise<{ exitCode: number | null; startFailure: Error | undefined }>((resolve) => {
      child.on('error', (error) => {
        startFailure ??= error;
      });
      child.on('close', (exitCode) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', stop);
        resolve({ exitCode, startFailure });
      });
    });
    return { child, ended, stop };
  };

  return {
    run: async (args, options = {}) => {
      const { input, output, timeoutMs, onLine, signal } = options;
      const { child, ended, stop } = start(args, options);
      let late = false;
      const timer =
        timeoutMs &&
        setTimeout(() => {
          late = true;
          stop();
        }, timeoutMs);
      if (onLine) {
        if (!output) createInterface({ input: child.stdout }).on('line', (line) => onLine(line, 'stdout'));
        createInterface({ input: child.stderr }).on('line', (line) => onLine(line, 'stderr'));
      }
      const fed = input instanceof Readable ? pipeline(input, child.stdin) : child.stdin.end(input);
      const said = output ? pipeline(child.stdout, output).then(() => '') : textOf(child.stdout);
      const [fedWell, stdout, stderr, { exitCode, startFailure }] = await Promise.all([
        settled(Promise.resolve(fed)),
        settled(said),
        settled(textOf(child.stderr)),
        ended,
      ]);
      clearTimeout(timer);
      signal?.throwIfAborted();
      const lines = lastLines(stderr.value || stdout.value || '');
      const fail = (how: string, cause?: unknown): never => {
        throw new DockerCommandError(args, exitCode, how, lines, { cause });
      };
      if (startFailure) return fail(`cannot be started: ${startFailure.message}`, startFailure);
      if (late) return fail(`was not done within ${(timeoutMs ?? 0) / 1000} s`);
      if (exitCode !== 0) return fail(exitCode === null ? 'was ended by a signal' : `ended with ${exitCode}`);
      const broken = [stdout, stderr, fedWell].find(({ error }) => error !== undefined);
      if (broken) return fail('broke off', broken.error);
      return { stdout: stdout.value ?? '', stderr: stderr.value ?? '' };
    },
    attach: async (args) => {
      const child = spawn('docker', ['--host', host, ...args], { stdio: 'inherit' });
      // Ctrl-C at a terminal reaches the child by itself, and it is the child that has to end by it.
      const ignore = (): void => undefined;
      const passOn = (): void => void child.kill('SIGTERM');
      process.on('SIGINT', ignore).on('SIGTERM', passOn);
      try {
        return await new Promise<number>((resolve, reject) => {
          child.on('error', (error) =>
            reject(new DockerCommandError(args, null, `cannot be started: ${error.message}`, [])),
          );
          child.on('close', (exitCode, signal) => {
            resolve(exitCode ?? 128 + (signal === null ? 0 : constants.signals[signal]));
          });
        });
      } finally {
        process.off('SIGINT', ignore).off('SIGTERM', passOn);
      }
    },
    open: (args, options = {}) => {
      const { child, ended, stop } = start(args, options);
      const lines = keepLastLines(child.stderr);
      const told = ended.then(({ exitCode, startFailure }) => ({
        exitCode,
        lastLines: startFailure ? [`docker cannot be started: ${startFailure.message}`] : lines(),
      }));
      return {
        stdin: child.stdin,
        stdout: child.stdout,
        ended: told,
        stop: async () => {
          stop();
          await told;
        },
      };
    },
  };
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    if (length > LONGEST_OUTPUT) throw new Error(`it wrote more than ${LONGEST_OUTPUT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** All streams of a process are awaited together; the first that breaks must not hide how the process ended. */
async function settled<T>(work: Promise<T>): Promise<{ readonly value?: T; readonly error?: unknown }> {
  try {
    return { value: await work };
  } catch (error) {
    return { error };
  }
}
