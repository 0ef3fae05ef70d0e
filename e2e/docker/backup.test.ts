import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { APP_USER } from '../../apps/cli/src/stack/names.ts';
import { calculaud } from '../../apps/cli/src/testing/command-line.ts';
import { factsOf, findings } from './container-policy.ts';
import { dockerDaemon } from './daemon.ts';
import { type StackEnvironment, stackEnvironment } from './stack-environment.ts';

/** The backup service of a stack, as an operator gets it by the key `backup` of calculaud.yml. */

let environment: StackEnvironment;
let repository: string;
let kit: string;
beforeAll(async () => {
  const { host } = await dockerDaemon();
  repository = mkdtempSync(join(tmpdir(), 'calculaud-kept-repository-'));
  chownSync(repository, APP_USER, APP_USER);
  environment = await stackEnvironment(host, 'kept', {
    https: 22_643,
    backup: { repositories: [`file://${repository}`] },
  });
  kit = join(dirname(environment.file), 'recovery-kit.kept.txt');
  await environment.deploy();
  await environment.until('an answer', 'api-blue', async () =>
    (await environment.get('/health')).status === 200 ? true : undefined,
  );
});
afterAll(async () => {
  await environment.remove();
  rmSync(repository, { recursive: true, force: true });
});

const status = z.object({
  receiving: z.boolean(),
  repositories: z.array(z.object({ base: z.string().optional(), logComplete: z.string().optional() })),
});

async function inService(...command: readonly string[]): Promise<string> {
  const [id = ''] = await environment.containers('backup');
  return environment.docker('exec', id, ...command);
}

async function report() {
  const ask =
    "fetch('http://127.0.0.1:9090/backup').then(async (answer) => console.log(await answer.text()))";
  const said: unknown = JSON.parse(await inService('node', '--eval', ask));
  return z.object({ status: z.string(), service: status }).parse(said);
}

/** Everything until now is in the repository. */
async function complete(): Promise<void> {
  const begin = new Date().toISOString();
  await environment.until(
    'the log',
    'backup',
    async () => {
      const [kept] = (await report()).service.repositories;
      return (kept?.base !== undefined && (kept.logComplete ?? '') > begin) || undefined;
    },
    180_000,
  );
}

test('it is healthy, backs up, and is well; everything is as strict as elsewhere', async () => {
  await complete();
  await environment.until('a healthy service', 'backup', async () => {
    const [id = ''] = await environment.containers('backup');
    const health = await environment.docker('inspect', '--format', '{{.State.Health.Status}}', id);
    return health === 'healthy' || undefined;
  });
  expect(await report()).toMatchObject({ status: 'pass', service: { receiving: true } });
  const [id = ''] = await environment.containers('backup');
  expect(findings([await factsOf(environment.docker, 'backup', id)])).toEqual([]);
});

test('the recovery kit is with the operator alone, and no secret is in what Docker shows or logs', async () => {
  const page = readFileSync(kit, 'utf8');
  expect(statSync(kit).mode & 0o777).toBe(0o600);
  const [, secret = ''] = /(AGE-SECRET-KEY-1\w+)/.exec(page) ?? [];
  expect(secret).not.toBe('');
  expect(existsSync(join(repository, 'recovery-kit.txt'))).toBe(false);
  const [id = ''] = await environment.containers('backup');
  const shown = `${await environment.docker('inspect', id)}${await environment.docker('logs', id)}`;
  expect(shown).not.toContain('AGE-SECRET-KEY');
  expect(shown).not.toMatch(/postgresql:\/\/calculaud_backup:[^@*]/);
  const listed = await calculaud(`backup list --from file://${repository} --kit ${kit}`);
  expect(listed).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('scheduled') });
});

test('commands run beside it, and a drill proves that all of it can be restored', async () => {
  const said = await calculaud(`exec backup --file ${environment.file} -- calculaud backup verify`);
  expect(said).toMatchObject({ exitCode: 0 });
  expect(await inService('calculaud', 'drill')).toContain(': passed');
});

test('a killed service goes on where it was', async () => {
  const [id = ''] = await environment.containers('backup');
  await environment.docker('kill', '--signal', 'KILL', id);
  await environment.until('another one', 'backup', async () => {
    const [next = ''] = await environment.containers('backup');
    return (next !== '' && next !== id) || undefined;
  });
  await complete();
  expect(await report()).toMatchObject({ status: 'pass' });
  expect(await inService('calculaud', 'backup', 'verify')).not.toContain('!');
});
