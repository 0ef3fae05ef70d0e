import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { docker } from '../docker-command.ts';
import { type BaseImageName, type Recipe, recipes } from './recipes.ts';

const run = promisify(execFile);

/** What takes long (root file systems) or needs a network (packages) is kept here; the rest takes seconds. */
const CACHE = join(homedir(), '.cache', 'calculaud', 'base-images');

/** On every image: of what it was made. One of an older recipe is made anew. */
const RECIPE_LABEL = 'calculaud.test.recipe';

const MIRROR = 'http://deb.debian.org/debian';
const MMDEBSTRAP = [
  '--variant=minbase',
  // What the official images leave out, too.
  ...['man', 'doc', 'locale', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  // A mirror may be frozen at some date; its signature counts all the same.
  '--aptopt=Acquire::Check-Valid-Until "false"',
  // Debian's PostgreSQL would make a database at once.
  '--setup-hook=mkdir -p "$1/etc/postgresql-common/createcluster.d"',
  '--setup-hook=echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.d/none.conf"',
];

/** Makes the images that stand in for the official ones, as far as this daemon has not got them. */
export async function ensureBaseImages(host: string): Promise<void> {
  for (const [name, recipe] of Object.entries(recipes)) await ensureBaseImage(host, name, recipe);
}

export function baseImage(name: BaseImageName): string {
  return recipes[name].image;
}

async function ensureBaseImage(host: string, name: string, recipe: Recipe): Promise<void> {
  const folder = fileURLToPath(new URL(name, import.meta.url));
  const key = hash(JSON.stringify([MMDEBSTRAP, recipe, filesOf(folder)]));
  if ((await labelOf(host, recipe.image)) === key) return;
  console.log(`Making ${recipe.image} …`);
  const context = mkdtempSync(join(tmpdir(), 'calculaud-base-image-'));
  try {
    cpSync(folder, context, { recursive: true });
    for (const { spec, path, as } of recipe.npm ?? []) {
      cpSync(join(await npmPackage(spec), path), join(context, as), { recursive: true });
    }
    for (const { path, as } of recipe.files ?? []) copyFileSync(path, join(context, as));
    const rootfs = await rootfsImage(host, recipe);
    const labels = ['--label', `${RECIPE_LABEL}=${key}`, '--build-arg', `ROOTFS=${rootfs}`];
    await docker(host, 'build', '--tag', recipe.image, ...labels, context);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

async function labelOf(host: string, image: string): Promise<string | undefined> {
  const known = await docker(host, 'image', 'ls', '--quiet', image);
  if (known === '') return undefined;
  return docker(host, 'image', 'inspect', '--format', `{{index .Config.Labels "${RECIPE_LABEL}"}}`, image);
}

async function rootfsImage(host: string, { suite, packages }: Recipe): Promise<string> {
  const name = `rootfs-${suite}-${hash(JSON.stringify([MMDEBSTRAP, packages]))}`;
  const tar = await cached(`${name}.tar`, async (target) => {
    await run('mmdebstrap', [
      ...MMDEBSTRAP,
      '--quiet',
      '--format=tar',
      `--include=${packages.join(',')}`,
      suite,
      target,
      MIRROR,
    ]);
  });
  const image = `calculaud-test/${name}`;
  const known = await docker(host, 'image', 'ls', '--quiet', image);
  if (known === '') await docker(host, 'import', tar, image);
  return image;
}

/** The folder of a package of npm, as it is published. */
async function npmPackage(spec: string): Promise<string> {
  return cached(spec.replaceAll('/', '-'), async (target) => {
    mkdirSync(target);
    const { stdout } = await run('npm', ['pack', spec, '--silent', '--pack-destination', target]);
    const tarball = join(target, stdout.trim());
    await run('tar', ['--extract', '--file', tarball, '--directory', target, '--strip-components=1']);
    rmSync(tarball);
  });
}

/** Two runs at once may both do the work; what is in the cache is whole at any time. */
async function cached(name: string, make: (target: string) => Promise<void>): Promise<string> {
  const path = join(CACHE, name);
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, '.making-'));
  try {
    const made = join(folder, name);
    await make(made);
    if (!existsSync(path)) renameSync(made, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return path;
}

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder)
    .toSorted()
    .map((name) => `${name}\n${readFileSync(join(folder, name), 'utf8')}`);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
