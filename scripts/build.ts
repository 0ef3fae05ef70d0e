import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

/**
 * Bundles the programs of the product into apps/<app>/dist, so that they start fast and run on a Node that cannot read
 * TypeScript. Our own packages are bundled in; those from npm stay in node_modules.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const apps: Record<string, string[]> = {
  'apps/server': ['src/start.ts', 'src/api.ts', 'src/worker.ts', 'src/backup.ts'],
  'apps/cli': ['src/main.ts'],
};

/** Packages of npm are left to Node; our own (`@calculaud/…`) are found through the workspace links and bundled. */
const packagesOfNpmStayOutside: Plugin = {
  name: 'packages of npm stay outside',
  setup(esbuild) {
    esbuild.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path.startsWith('@calculaud/') ? undefined : { path, external: true },
    );
  },
};

/**
 * `import.meta.url` goes on naming the source file. So a file that lies beside a source (a migration, the packages of a
 * workspace) is found by the same relative URL from the sources and from the bundle, and nothing needs to be copied.
 */
function keepUrlsOfSources(outputFolder: string): Plugin {
  return {
    name: 'keep the URLs of sources',
    setup(esbuild) {
      esbuild.onLoad({ filter: /\.tsx?$/ }, ({ path }) => {
        const source = readFileSync(path, 'utf8');
        const url = JSON.stringify(relative(outputFolder, path).split(sep).join('/'));
        return {
          contents: source.replaceAll('import.meta.url', `new URL(${url}, import.meta.url).href`),
          loader: path.endsWith('x') ? 'tsx' : 'ts',
        };
      });
    },
  };
}

async function bundle(app: string, entries: string[]): Promise<void> {
  const outdir = join(root, app, 'dist');
  const started = new Date();
  const entryPoints = entries.map((entry) => join(root, app, entry)).filter((path) => existsSync(path));
  const { metafile } = await build({
    entryPoints,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
    metafile: true,
    absWorkingDir: root,
    plugins: [packagesOfNpmStayOutside, keepUrlsOfSources(outdir)],
  });
  removeOldFiles(outdir, new Set(Object.keys(metafile.outputs).map((path) => basename(path))));
  // Older than whatever was saved while the build ran, so that the next start sees it.
  const stamp = join(outdir, '.built');
  writeFileSync(stamp, '');
  utimesSync(stamp, started, started);
}

/** Files of earlier builds stay for a day: a program that runs may still want to load one of them. */
function removeOldFiles(folder: string, current: ReadonlySet<string>): void {
  const dayAgo = Date.now() - 86_400_000;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!current.has(name) && statSync(path).mtimeMs < dayAgo) rmSync(path);
  }
}

// Before any build begins: making a folder changes the one around it, which would look like a newer source.
for (const app of Object.keys(apps)) mkdirSync(join(root, app, 'dist'), { recursive: true });
await Promise.all(Object.entries(apps).map(([app, entries]) => bundle(app, entries)));
