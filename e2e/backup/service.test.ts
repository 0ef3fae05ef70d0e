import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readKeyRing } from '@calculaud/backup/repository/keyring';
import { type OpenedRepository, openRepository } from '@calculaud/backup/repository/open-repository';
import { openStore } from '@calculaud/backup/repository/open-store';
import { readStatus, type ServiceStatus } from '@calculaud/backup/service/status';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { typed } from './command.ts';
import { newDataDirectory, removeDataDirectory, startSystem, type System } from '../system.ts';

/** What the backup service does by itself. It was started for the first time some hours ago, so that everything is due. */

let data: string;
let system: System;
beforeAll(async () => {
  data = newDataDirectory();
  mkdirSync(join(data, 'backup-work'), { recursive: true });
  const since = new Date(Date.now() - 5 * 3_600_000).toISOString();
  writeFileSync(join(data, 'backup-work', 'last-runs.json'), JSON.stringify({ format: 1, since, tasks: {} }));
  system = await startSystem(data);
});
afterAll(async () => {
  await system.stop();
  removeDataDirectory(data);
});

const calculaud = async (...args: readonly string[]) => typed(data, ...args);

async function until<T>(what: string, look: (status: ServiceStatus) => T | undefined | false): Promise<T> {
  for (const deadline = performance.now() + 120_000; performance.now() < deadline; await wait(300)) {
    const status = await readStatus(join(data, 'backup-work'));
    const found = status && look(status);
    if (found !== undefined && found !== false) return found;
  }
  throw new Error(`${what} did not come:\n${system.output()}`);
}

async function withRepository<T>(work: (repository: OpenedRepository) => Promise<T>): Promise<T> {
  const keyring = await readKeyRing(join(data, 'backup.keys'));
  if (!keyring) throw new Error('no keys');
  const repository = await openRepository(await openStore(join(data, 'backups')), keyring);
  try {
    return await work(repository);
  } finally {
    await repository.close();
  }
}

test('it backs up, exports, verifies, drills and prunes, tells how old each is, and raises no alarm', async () => {
  await until('all tasks', ({ tasks }) => tasks.every(({ succeededAt, running }) => succeededAt && !running));
  const told = await calculaud('backup', 'status');
  expect(told).toMatchObject({ exitCode: 0, said: expect.stringContaining('the newest: passed') });
  const report = await fetch(`${system.managementUrl}/backup`);
  expect([report.status, await report.json()]).toMatchObject([200, { status: 'pass', alerts: [] }]);
  const metrics = await (await fetch(`${system.managementUrl}/backup/metrics`)).text();
  for (const kind of ['base', 'export', 'verification', 'drill'])
    expect(metrics).toContain(`kind="${kind}"} 1`);
  expect(metrics).not.toContain('calculaud_backup_alert');
});

test('an export comes out of the repository as a file that can be read back, and only where there is none', async () => {
  const file = join(data, 'export.tar');
  const listed = await calculaud('backup', 'list', '--json');
  const [, id = ''] = /"event":"export".*?"id":"([^"]+)"/.exec(listed.said) ?? [];
  expect(await calculaud('backup', 'extract', id, file)).toMatchObject({ exitCode: 0 });
  expect(await calculaud('import', file, '--plan')).toMatchObject({
    said: expect.stringContaining('purpose'),
  });
  const before = readFileSync(file);
  expect(await calculaud('backup', 'extract', id, file)).toMatchObject({
    exitCode: 3,
    said: expect.stringContaining('cannot be made'),
  });
  expect(readFileSync(file).equals(before)).toBe(true);
});

test('a hold keeps a backup, stays on record, and ends with a release', async () => {
  const id = await withRepository(async (repository) => (await repository.listManifests())[0]?.id ?? '');
  expect(await calculaud('backup', 'hold', id, '--why', 'audit 2026')).toMatchObject({ exitCode: 0 });
  const plan = await calculaud('backup', 'prune', '--dry-run');
  expect(plan).toMatchObject({ exitCode: 0, said: expect.stringContaining('hold') });
  expect(await calculaud('backup', 'release', id, '--why', 'audit is over')).toMatchObject({ exitCode: 0 });
  expect(await calculaud('backup', 'release', id, '--why', 'once more')).toMatchObject({ exitCode: 3 });
});

test('a new recovery kit opens the repository, and the old one no longer', async () => {
  const page = join(data, 'recovery-kit.txt');
  const [old, renewed] = [join(data, 'old-kit.txt'), join(data, 'new-kit.txt')];
  copyFileSync(page, old);
  expect(await calculaud('recovery-kit', 'renew', '--yes')).toMatchObject({ exitCode: 0 });
  copyFileSync(page, renewed);
  expect(await calculaud('recovery-kit', 'confirm', '--yes')).toMatchObject({ exitCode: 0 });
  expect(await calculaud('backup', 'list', '--kit', renewed)).toMatchObject({ exitCode: 0 });
  expect(await calculaud('backup', 'list', '--kit', old)).toMatchObject({
    exitCode: 3,
    said: expect.stringContaining('a newer kit has replaced it'),
  });
});

test('a damaged chunk is named, alarms, and is mended by a new backup without anybody', async () => {
  const key = await withRepository(async (repository) => {
    const [manifest] = await repository.listManifests();
    if (!manifest || 'unreadable' in manifest) throw new Error('no backup');
    // pg_proc of a database that nobody changes.
    const [chunk] = manifest.files.find(({ path }) => path === 'base/1/1255')?.chunks ?? [];
    const name = chunk?.name ?? '';
    const object = `chunks/${name.slice(0, 2)}/${name}`;
    const content = await repository.store.get(object);
    if (!content) throw new Error('no chunk');
    content[content.length - 20] = (content[content.length - 20] ?? 0) ^ 1;
    await repository.store.put(object, content);
    return object;
  });
  expect(await calculaud('backup', 'verify')).toMatchObject({
    exitCode: 2,
    said: expect.stringContaining(key),
  });
  await until('the alarm', ({ repositories: [kept] }) => kept?.corrupt.includes(key));
  expect(await calculaud('backup', 'status')).toMatchObject({
    exitCode: 2,
    said: expect.stringContaining('critical (corrupt)'),
  });
  expect((await fetch(`${system.managementUrl}/backup`)).status).toBe(503);

  await until('the mending', ({ repositories: [kept] }) => kept?.corrupt.length === 0);
  expect(await calculaud('backup', 'verify')).toMatchObject({ exitCode: 0 });
  expect(await calculaud('backup', 'list')).toMatchObject({
    said: expect.stringContaining('after-damage'),
  });
  expect(await calculaud('backup', 'status')).toMatchObject({ exitCode: 0 });
});
