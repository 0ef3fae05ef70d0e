import { docker } from '../docker-command.ts';
import { images } from '../images.ts';
import type { FaultKind } from './kinds.ts';

/** An image of the product that is broken in one way, in the daemon; answers its name. */
export async function faultyImage(host: string, kind: FaultKind, of: string = images.app): Promise<string> {
  const name = `calculaud-faulty:${kind}`;
  const folder = new URL('.', import.meta.url).pathname;
  await docker(
    host,
    'build',
    '--quiet',
    '--build-arg',
    `OF=${of}`,
    '--build-arg',
    `FAULT=${kind}`,
    '--tag',
    name,
    folder,
  );
  return name;
}
