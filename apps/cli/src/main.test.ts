import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-cli-test-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The program as a shell starts it, in a folder of its own. */
function calculaud(line: string, variables: Record<string, string> = {}) {
  const program = ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'main.ts')];
  return spawnSync(process.execPath, [...program, ...line.split(' ')], {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...variables },
    encoding: 'utf8',
  });
}

test('the exit code, both outputs and the environment are those of the process', () => {
  const shown = calculaud('config show --changed', { PORT: '8001' });
  expect(shown).toMatchObject({ status: 0, stderr: '' });
  expect(shown.stdout).toMatch(/^PORT +8001 +environment/m);
  expect(calculaud('db nonsense')).toMatchObject({ status: 3, stdout: '' });
});

test('a .env file in the working folder counts', () => {
  writeFileSync(join(folder, '.env'), 'PORT=8002\n');
  expect(calculaud('config show --changed').stdout).toMatch(/^PORT +8002 +\.env/m);
});

test('nothing is coloured for a pipe', () => {
  const wrong = calculaud('config show', { PORT: 'x', FORCE_COLOR: '1' });
  expect(wrong.status).toBe(3);
  expect(wrong.stdout + wrong.stderr).not.toContain('\u001b');
});
