import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { environmentText } from '../../environment/testing/environment.ts';
import { calculaud } from '../../testing/command-line.ts';

let file: string;
beforeAll(() => {
  file = join(mkdtempSync(join(tmpdir(), 'calculaud-check-test-')), 'calculaud.yml');
});
afterAll(() => {
  rmSync(join(file, '..'), { recursive: true });
});

test('what is fine is said to be', async () => {
  writeFileSync(file, environmentText());
  const { exitCode, stdout, stderr } = await calculaud(`config check --file ${file}`);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  expect(stderr).toBe(`${file} is fine: staging environment test.\n`);
});

test('everything that is wrong is an answer, and ends with 2', async () => {
  writeFileSync(file, environmentText({ replica: {}, gateway: { http: 443 } }));
  const people = await calculaud(`config check --file ${file}`);
  expect(people).toMatchObject({
    exitCode: 2,
    stdout: `! ${file}:8  replica is not known; expected: did you mean replicas?\n`,
    stderr: `${file}: 1 problem.\n`,
  });
  const programs = await calculaud(`config check --json --file ${file}`);
  expect(programs.events()).toEqual([
    {
      version: 1,
      event: 'problem',
      file,
      line: 8,
      path: 'replica',
      problem: 'is not known',
      expected: 'did you mean replicas?',
    },
    { version: 1, event: 'checked', file, environment: null, problems: 1 },
  ]);
});

test('a file that is not there, and one of another environment, are refused', async () => {
  const missing = await calculaud('config check --file /nowhere/calculaud.yml');
  expect(missing).toMatchObject({ exitCode: 3, stdout: '' });
  expect(missing.stderr).toContain('calculaud init');

  writeFileSync(file, environmentText());
  const other = await calculaud(`config check --file ${file} --environment production`);
  expect(other).toMatchObject({ exitCode: 2 });
  expect(other.stdout).toContain('name is test, but production was asked for');
});
