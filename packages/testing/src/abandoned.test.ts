import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isPostmasterOf } from '@calculaud/embedded/processes';
import { expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import { removeAbandonedTestServers, TEST_FOLDER_PREFIX } from './abandoned.ts';

vi.setConfig({ testTimeout: 60_000 });

const holder = fileURLToPath(import.meta.resolve('@calculaud/embedded/testing/holder'));

test('the server of a run that was killed is ended by the next one, and only that', async () => {
  const folder = mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX));
  const run = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), holder, folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = z.tuple([z.string()]).parse(await once(createInterface({ input: run.stdout }), 'line'));
  const { pid } = z.object({ pid: z.number() }).parse(JSON.parse(line));

  await removeAbandonedTestServers();
  expect(isPostmasterOf(pid, join(folder, 'postgres'))).toBe(true);

  run.kill('SIGKILL');
  await once(run, 'exit');
  await removeAbandonedTestServers();
  expect(isPostmasterOf(pid, join(folder, 'postgres'))).toBe(false);
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(inject('testServerDirectory'))).toBe(true);
});
