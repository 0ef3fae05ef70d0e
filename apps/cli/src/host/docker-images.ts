import { Readable } from 'node:stream';
import { filesOfArchive } from '../bundle/docker-archive.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Docker } from './docker.ts';

/** Images on their way out of an engine and into one; none is ever in memory or on the disk as a whole. */

/** Fetches an image from where its name says. */
export async function pullImage(docker: Docker, reference: string, signal: AbortSignal): Promise<void> {
  await docker.command.run(['pull', '--quiet', reference], { signal });
}

/** Some images as `docker save` writes them. */
export async function saveImages<T>(
  docker: Docker,
  references: readonly string[],
  signal: AbortSignal,
  take: (archive: Readable) => Promise<T>,
): Promise<T> {
  return withOutput(docker, ['save', ...references], signal, take);
}

/** Gives an engine what `docker load` takes. A failure of the one who writes it is told rather than what Docker makes of it. */
export async function loadImages(
  docker: Docker,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let failure: unknown;
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* archive;
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  try {
    await docker.command.run(['load', '--quiet'], {
      input: Readable.from(watched(), { objectMode: false }),
      signal,
    });
  } catch (error) {
    throw failure ?? error;
  }
}

/** More than migrations and documentation ever have. */
const LARGEST = 64 * 1024 * 1024;

/** Reads files out of an image, which is not run for it; by the path that was asked for, then by the names below it. */
export async function readFromImage(
  docker: Docker,
  image: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ReadonlyMap<string, Buffer>>> {
  const { stdout } = await docker.command.run(['create', '--network=none', '--pull=never', image, 'none'], {
    signal,
  });
  const container = stdout.trim();
  try {
    const found = new Map<string, ReadonlyMap<string, Buffer>>();
    for (const path of paths) {
      const copy = ['cp', `${container}:${path}`, '-'];
      found.set(
        path,
        await withOutput(docker, copy, signal, async (archive) => filesOfArchive(archive, LARGEST)),
      );
    }
    return found;
  } finally {
    await docker.command.run(['rm', '--force', '--volumes', container]);
  }
}

/** Reads what a command writes, while it runs. */
async function withOutput<T>(
  docker: Docker,
  args: readonly string[],
  signal: AbortSignal,
  take: (output: Readable) => Promise<T>,
): Promise<T> {
  const command = docker.command.open(args, { signal });
  const taken = await take(command.stdout).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  // Whoever failed first is told: an output that ended too early is the command's fault, not the reader's.
  const ownFault = 'error' in taken && !command.stdout.readableEnded;
  if (ownFault) await command.stop();
  const { exitCode, lastLines } = await command.ended;
  signal.throwIfAborted();
  if (!ownFault && exitCode !== 0) {
    throw new CliError(
      `docker ${args.join(' ')} on ${docker.name} ended with ${exitCode ?? 'a signal'}.\n${lastLines.join('\n')}`,
      '',
      EXIT.refused,
    );
  }
  if ('error' in taken) throw taken.error;
  return taken.value;
}
