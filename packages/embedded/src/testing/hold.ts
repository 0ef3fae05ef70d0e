import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Durability } from '../settings.ts';

const program = fileURLToPath(new URL('./holder.ts', import.meta.url));

const started = z.object({ pid: z.number(), socketDirectory: z.string(), app: z.string() });
const refused = z.object({ refusal: z.string() });

export interface HoldOptions {
  /** Unlike in the product 'none' unless told: these tests start many servers. */
  readonly durability?: Durability;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** The holder program of another checkout. */
  readonly program?: string;
  /** The size that no file may exceed, in units of 512 bytes: a disk that gets full. */
  readonly largestFile?: number;
}

/** A process of its own that starts the server of a data folder. */
export interface Holder {
  readonly process: ChildProcess;
  readonly pid: number;
  /** What became of the start: the server, or the message with which it was refused. */
  readonly outcome: Promise<z.infer<typeof started> | z.infer<typeof refused>>;
  /** The server; throws when the start was refused. */
  server(): Promise<z.infer<typeof started>>;
  refusal(): Promise<string>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export function hold(dataDirectory: string, options: HoldOptions = {}): Holder {
  const command = [
    process.execPath,
    '--import',
    import.meta.resolve('tsx'),
    options.program ?? program,
    dataDirectory,
    options.durability ?? 'none',
  ];
  const limit = options.largestFile === undefined ? 'unlimited' : String(options.largestFile);
  const child = spawn('/bin/sh', ['-c', 'ulimit -f "$0"; exec "$@"', limit, ...command], {
    uid: options.uid,
    gid: options.gid,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const outcome = firstLine(child);
  // Who kills the holder does not wait for its word.
  outcome.catch(() => undefined);
  const server = async (): Promise<z.infer<typeof started>> => {
    const result = await outcome;
    if ('refusal' in result) throw new Error(result.refusal);
    return result;
  };
  const ended = once(child, 'exit');
  return {
    process: child,
    pid: child.pid ?? -1,
    outcome,
    server,
    refusal: async () => refused.parse(await outcome).refusal,
    stop: async () => {
      child.stdin.end();
      await ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function firstLine(child: ChildProcess): Promise<z.infer<typeof started> | z.infer<typeof refused>> {
  if (child.stdout === null) throw new Error('The holder has no output.');
  for await (const line of createInterface({ input: child.stdout })) {
    return z.union([started, refused]).parse(JSON.parse(line));
  }
  throw new Error('The holder ended without a word.');
}
