import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isPostmasterOf } from '@calculaud/embedded/processes';
import { hold } from '@calculaud/embedded/testing/hold';
import { expect, inject, test, vi } from 'vitest';
import { removeAbandonedTestServers, TEST_FOLDER_PREFIX } from './abandoned.ts';

vi.setConfig({ testTimeout: 60_000 });

test('the server of a run that was killed is ended by the next one, and only that', async () => {
  const folder = mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX));
  const run = hold(folder);
  const { pid } = await run.server();
  await removeAbandonedTestServers();
  expect(isPostmasterOf(pid, join(folder, 'postgres'))).toBe(true);

  await run.kill();
  await removeAbandonedTestServers();
  expect(isPostmasterOf(pid, join(folder, 'postgres'))).toBe(false);
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(inject('testServerDirectory'))).toBe(true);
});
