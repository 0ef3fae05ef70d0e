import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { repository } from '../system.ts';
import { dockerDaemon } from './daemon.ts';
import { type StackEnvironment, stackEnvironment } from './stack-environment.ts';

/** A checkout of its own: the same files, as links, which cost neither time nor room. */
let sources: string;
let environment: StackEnvironment;
beforeAll(async () => {
  // Beside the repository, since a link cannot leave its file system.
  sources = mkdtempSync(`${repository}-development-`);
  const parts = ['apps', 'packages', 'node_modules', 'package.json', 'tsconfig.json'];
  await promisify(execFile)('cp', [
    '--archive',
    '--link',
    ...parts.map((part) => join(repository, part)),
    sources,
  ]);
  await promisify(execFile)('chmod', ['a+rx', sources]);
  const { host } = await dockerDaemon();
  environment = await stackEnvironment(host, 'workshop', { https: 22_443, kind: 'development', sources });
});
afterAll(async () => {
  await environment.remove();
  rmSync(sources, { recursive: true, force: true });
});

async function version(): Promise<string | undefined> {
  const { status, body } = await environment.get('/health');
  return status === 200 ? /"version":"([^"]*)"/.exec(body)?.[1] : undefined;
}

test('development runs the sources, says more, and takes a saved file without a new container', async () => {
  await environment.deploy();
  await environment.until('an answer', 'api-blue', version, 120_000);
  const [api = ''] = await environment.containers('api-blue');
  expect(await environment.docker('exec', api, 'printenv', 'LOG_LEVEL')).toBe('debug');

  const file = join(sources, 'apps/server/src/health/service.ts');
  const text = readFileSync(file, 'utf8');
  // A new file in the place of the link: the repository keeps its own.
  rmSync(file);
  writeFileSync(file, `${text}\nprocess.title = 'saved';\n`);
  await environment.until('the saved file at work', 'api-blue', async () => {
    const titles = await environment.docker('exec', api, 'sh', '-c', 'cat /proc/[0-9]*/cmdline');
    return titles.includes('saved') || undefined;
  });
  await environment.until('an answer', 'api-blue', version);
  expect(await environment.containers('api-blue')).toEqual([api]);
});
