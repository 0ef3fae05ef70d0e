import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

/** A checkout whose npm and node only write down how they were called; node then says its version, or "builds". */
let checkout: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'calculaud-prepare-'));
  for (const folder of ['scripts', 'bin', 'packages', 'apps/server/src', 'apps/cli/bin']) {
    mkdirSync(join(checkout, folder), { recursive: true });
  }
  for (const file of ['scripts/prepare.sh', 'apps/cli/bin/calculaud'])
    cpSync(join(root, file), join(checkout, file));
  for (const file of ['package-lock.json', 'tsconfig.json', 'scripts/build.ts', 'apps/server/src/api.ts']) {
    writeFileSync(join(checkout, file), '');
    age(file, 3_600);
  }
  command('npm', 'mkdir -p node_modules; : > node_modules/.package-lock.json');
  nodeOfVersion('v20.19.0');
});

afterEach(() => {
  rmSync(checkout, { recursive: true });
});

function command(name: string, script: string): void {
  writeFileSync(
    join(checkout, 'bin', name),
    `#!/bin/sh\necho "${name} $*" >> "${checkout}/calls"\n${script}\n`,
  );
  chmodSync(join(checkout, 'bin', name), 0o755);
}

function nodeOfVersion(version: string): void {
  const build =
    'for app in server cli; do mkdir -p apps/$app/dist; : > apps/$app/dist/.built; : > apps/$app/dist/main.js; done';
  command('node', `case $* in --version) echo ${version};; *build.ts) ${build};; esac`);
}

function age(file: string, seconds: number): void {
  const time = new Date(Date.now() - seconds * 1_000);
  utimesSync(join(checkout, file), time, time);
}

/** Everything of the checkout is older than its build. */
function settle(): void {
  for (const file of [
    '',
    'scripts',
    'packages',
    'apps',
    'apps/server',
    'apps/server/src',
    'apps/cli',
    'apps/cli/bin',
  ]) {
    age(file, 3_600);
  }
}

/** What was called, without the questions for the version. */
async function calls(program: string, ...args: string[]): Promise<string[]> {
  const log = join(checkout, 'calls');
  rmSync(log, { force: true });
  await run(program, args, { env: { PATH: `${checkout}/bin:/usr/bin:/bin` } });
  return existsSync(log)
    ? readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .filter((call) => call !== 'node --version')
    : [];
}

const prepare = async (): Promise<string[]> => calls('sh', join(checkout, 'scripts/prepare.sh'));

test('a fresh checkout gets its packages and is built; the next time nothing is done', async () => {
  expect(await prepare()).toEqual(['npm ci', 'node --import tsx scripts/build.ts']);
  settle();
  expect(await prepare()).toEqual([]);
});

test('packages are installed again when the lock file is newer than they are', async () => {
  await prepare();
  settle();
  age('node_modules/.package-lock.json', 60);
  age('package-lock.json', 30);
  age('apps/server/dist/.built', 0);
  age('apps/cli/dist/.built', 0);
  expect(await prepare()).toEqual(['npm ci']);
  expect(await prepare()).toEqual([]);
});

test.each([
  ['a source was saved', () => writeFileSync(join(checkout, 'apps/server/src/api.ts'), '')],
  ['a source was deleted', () => rmSync(join(checkout, 'apps/server/src/api.ts'))],
  ['a source was added', () => writeFileSync(join(checkout, 'packages/new.ts'), '')],
  ['the build itself was changed', () => writeFileSync(join(checkout, 'scripts/build.ts'), '')],
  ['one of the programs was never built', () => rmSync(join(checkout, 'apps/cli/dist'), { recursive: true })],
])('it is built again when %s', async (_case, change) => {
  await prepare();
  settle();
  for (const app of ['server', 'cli']) age(`apps/${app}/dist/.built`, 1_800);
  expect(await prepare()).toEqual([]);
  change();
  expect(await prepare()).toEqual(['node --import tsx scripts/build.ts']);
});

test.each(['v18.20.8', 'v20.18.3', 'v9.0.0'])('Node %s is refused with what is needed', async (version) => {
  nodeOfVersion(version);
  await expect(prepare()).rejects.toThrow(`Calculaud needs Node 20.19 or newer; this is ${version}`);
});

test.each(['v20.19.0', 'v22.0.0', 'v100.1.2'])('Node %s is accepted', async (version) => {
  nodeOfVersion(version);
  expect(await prepare()).toContain('npm ci');
});

test('a machine without Node is told so', async () => {
  rmSync(join(checkout, 'bin', 'node'));
  const tools = join(checkout, 'tools');
  mkdirSync(tools);
  symlinkSync('/usr/bin/dirname', join(tools, 'dirname'));
  const prepared = run('/bin/sh', [join(checkout, 'scripts/prepare.sh')], { env: { PATH: tools } });
  await expect(prepared).rejects.toThrow(/needs Node 20\.19 or newer, and no node was found/);
});

test('the command finds its program through links from anywhere, and builds it if it was never built', async () => {
  symlinkSync(join(checkout, 'apps/cli/bin/calculaud'), join(checkout, 'bin/first'));
  symlinkSync('first', join(checkout, 'bin/calculaud'));
  const program = join(checkout, 'apps/cli/dist/main.js');
  const built = ['npm ci', 'node --import tsx scripts/build.ts'];
  expect(await calls(join(checkout, 'bin/calculaud'), 'db', 'status')).toEqual([
    ...built,
    `node ${program} db status`,
  ]);
  expect(await calls(join(checkout, 'bin/calculaud'), 'a b')).toEqual([`node ${program} a b`]);
});
