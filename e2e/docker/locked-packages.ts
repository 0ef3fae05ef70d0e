import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { repository } from '../system.ts';

const names = z.record(z.string(), z.string()).default({});
const Entry = z.object({
  version: z.string().optional(),
  link: z.boolean().default(false),
  resolved: z.string().optional(),
  dependencies: names,
  peerDependencies: names,
  peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean().default(false) })).default({}),
});
type Entry = z.infer<typeof Entry>;

/**
 * `name@version` of each package of npm that workspaces need in production, read from the lock file alone: what they
 * depend on, and so on. What is optional or for development is not needed.
 */
export function lockedPackages(workspaces: readonly string[]): ReadonlySet<string> {
  const { packages } = z
    .object({ packages: z.record(z.string(), Entry) })
    .parse(JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')));
  const seen = new Set<string>();
  const found = new Set<string>();
  const visit = (path: string, entry: Entry): void => {
    if (seen.has(path)) return;
    seen.add(path);
    if (path.includes('node_modules/')) {
      found.add(`${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${entry.version}`);
    }
    const peers = Object.keys(entry.peerDependencies).filter(
      (name) => entry.peerDependenciesMeta[name]?.optional !== true,
    );
    for (const name of [...Object.keys(entry.dependencies), ...peers]) {
      const place = placeOf(name, path, packages);
      const target = packages[place];
      if (target === undefined) throw new Error(`package-lock.json holds no ${name}, which ${path} needs.`);
      const home = target.link ? (target.resolved ?? place) : place;
      visit(home, packages[home] ?? target);
    }
  };
  for (const workspace of workspaces) {
    const entry = packages[workspace];
    if (entry === undefined) throw new Error(`package-lock.json holds no ${workspace}.`);
    visit(workspace, entry);
  }
  return found;
}

/** As Node looks for a package: in the folders above, the nearest first. */
function placeOf(name: string, from: string, packages: Readonly<Record<string, Entry>>): string {
  for (let folder = from; ; folder = folder.includes('/') ? folder.slice(0, folder.lastIndexOf('/')) : '') {
    const place = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (place in packages || folder === '') return place;
  }
}
