import { docker } from './docker-command.ts';

/** What the engine puts into each container; not of the image. */
const NOT_OF_THE_IMAGE = [
  'proc',
  'sys',
  'dev',
  '.dockerenv',
  'etc/hosts',
  'etc/hostname',
  'etc/resolv.conf',
  'etc/mtab',
];

/**
 * All files of an image, one on a line: kind, mode, owner, time (but for folders: the classic builder leaves its own time on
 * those it copies into), target of a link, content. Two images have the same tree if these lines are the same.
 */
export async function treeOf(host: string, image: string): Promise<readonly string[]> {
  const pruned = NOT_OF_THE_IMAGE.map((path) => `-path ./${path}`).join(' -o ');
  const script = `cd / && find . -xdev \\( ${pruned} \\) -prune -o \\
    \\( -type d -printf '%p %y %m %U:%G\\n' \\) -o \\
    \\( -type l -printf '%p %y %U:%G %T@ %l\\n' \\) -o \\
    \\( -type f -printf '%p %y %m %U:%G %T@\\n' -exec sha256sum '{}' + \\)`;
  const lines = await docker(host, 'run', '--rm', '--user=0', '--entrypoint=sh', image, '-c', script);
  return lines.split('\n').toSorted();
}
