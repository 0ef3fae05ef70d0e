import { z } from 'zod';
import { output } from './programs.ts';

const Part = z.object({ name: z.string(), version: z.string(), licence: z.string().optional() });
export type Part = z.infer<typeof Part>;

/** What an image consists of, beside the product itself: found in the image, not in what it was meant to contain. */
export interface Parts {
  /** Debian's release, e.g. 13. */
  readonly debian: string;
  readonly architecture: string;
  readonly packages: readonly Part[];
  readonly npm: readonly Part[];
  /** The version of Node, where it is in the image. */
  readonly node: string | undefined;
}

const Manifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.union([z.string(), z.object({ type: z.string() }).transform(({ type }) => type)]).optional(),
});

export function partsOf(image: string): Parts {
  const inside = (script: string): string =>
    output('docker', ['run', '--rm', '--entrypoint', 'sh', image, '-c', script]).trim();
  const lines = (script: string): string[] =>
    inside(script)
      .split('\n')
      .filter((line) => line !== '');
  return {
    debian: inside('. /etc/os-release; echo "$VERSION_ID"'),
    architecture: inside('dpkg --print-architecture'),
    packages: lines("dpkg-query --show --showformat '${Package} ${Version}\\n'").map((line) => {
      const [name = '', version = ''] = line.split(' ');
      return { name, version };
    }),
    npm: lines(MANIFESTS).map((line) => {
      const { name, version, license } = Manifest.parse(JSON.parse(line));
      return { name, version, licence: license };
    }),
    node: inside('node --version 2>/dev/null || true').replace(/^v/, '') || undefined,
  };
}

/**
 * Prints the package.json of each package of npm on a line. A package is a folder of node_modules, or of a scope in it; the
 * package.json files deeper inside say how to load a part of one.
 */
const MANIFESTS = String.raw`[ ! -d /app ] || find /app -regex '.*/node_modules/\(@[^/]*/\)?[^/@][^/]*/package.json' | sort |
  while read -r file; do tr -d '\r\n' < "$file"; echo; done`;
