import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readStatus } from '@calculaud/backup/service/status';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminToken, newDataDirectory, removeDataDirectory, startSystem, type System } from '../system.ts';
import { typedWith } from './command.ts';

/** The system as a newcomer starts it, and what he types when everything is gone. */

let data: string;
let system: System;
let token: string;
beforeAll(async () => {
  data = newDataDirectory();
  system = await startSystem(data);
  token = await adminToken(data);
  await until('the first backup', async () => (await statusOf())?.repositories[0]?.base);
}, 120_000);
afterAll(async () => {
  await system.stop();
  removeDataDirectory(data);
});

const statusOf = async () => readStatus(join(data, 'backup-work'));

/** Polls what another process writes. */
async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await wait(200)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`${what} did not come:\n${system.output()}`);
}

const calculaud = async (folder: string, ...args: readonly string[]) =>
  typedWith({ CALCULAUD_DATA: folder, CALCULAUD_BACKUP_REPOSITORIES: join(data, 'backups') }, ...args);

async function api(method: string, path: string, body?: unknown): Promise<{ status: number; json: unknown }> {
  const response = await fetch(`${system.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: await response.json() };
}

async function described(): Promise<string[]> {
  const { json } = await api('GET', '/purposes?limit=200&sort_by=id&sort_order=desc');
  return JSON.stringify(json).match(/disaster \d+/g) ?? [];
}

describe('npm start', () => {
  test('backs up from the first minute, and says where the kit is until somebody has it', async () => {
    expect(system.output()).toContain('is backed up to');
    expect(system.output()).toContain('recovery-kit confirm');
    expect(system.output()).not.toContain('AGE-SECRET-KEY');
    expect(readFileSync(join(data, 'recovery-kit.txt'), 'utf8')).toContain('AGE-SECRET-KEY-1');
    const listed = await calculaud(data, 'backup', 'list');
    expect(listed).toMatchObject({ exitCode: 0, said: expect.stringContaining('scheduled') });
    expect(await calculaud(data, 'backup', 'verify')).toMatchObject({
      exitCode: 0,
      said: expect.stringContaining('is what it was'),
    });
  });

  test('a backup is made when somebody asks for it, beside the running system', async () => {
    const made = await calculaud(data, 'backup', 'create');
    expect(made).toMatchObject({
      exitCode: 0,
      said: expect.stringMatching(/\d{8}T\d{6}Z-[0-9a-f]{8}, [\d.]+ MB/),
    });
  });

  test('a drill proves that all of it can be restored, and keeps the result', async () => {
    const drilled = await calculaud(data, 'drill');
    expect(drilled).toMatchObject({ exitCode: 0, said: expect.stringContaining(': passed') });
    expect(drilled.said).toMatch(/integrity: \d\d+ indexes, \d\d+ tables/);
    expect(drilled.said).toMatch(/files: \d\d files/);
    expect(await calculaud(data, 'drill', '--history')).toMatchObject({
      said: expect.stringContaining('passed'),
    });
  });

  test('a drill finds what is lost, and says what it is', async () => {
    const bad = join(data, 'bad-repository');
    cpSync(join(data, 'backups'), bad, { recursive: true });
    const [folder = ''] = readdirSync(join(bad, 'attached'));
    rmSync(join(bad, 'attached', folder), { recursive: true });
    expect(await calculaud(data, 'drill', '--from', bad)).toMatchObject({
      exitCode: 2,
      said: expect.stringContaining('is not in the repository'),
    });
    rmSync(bad, { recursive: true });
    // What cannot be looked at is neither well nor lost.
    expect(await calculaud(data, 'drill', '--from', bad)).toMatchObject({
      exitCode: 7,
      said: expect.stringContaining('cannot be used'),
    });
    expect(existsSync(bad)).toBe(false);
  });

  test('a running system is not restored over', async () => {
    expect(await calculaud(data, 'restore', '--to', 'latest', '--yes')).toMatchObject({
      exitCode: 3,
      said: expect.stringContaining('Stop it first'),
    });
  });
});

describe('when the database is gone', () => {
  test('everything that was acknowledged comes back by one command', async () => {
    for (let n = 1; n <= 20; n += 1) {
      expect((await api('POST', '/purposes', { description: `disaster ${n}` })).status).toBe(201);
    }
    const before = await described();
    expect(before).toHaveLength(20);
    const status = await statusOf();
    await system.kill();
    killServer();
    rmSync(join(data, 'postgres'), { recursive: true });
    expect(status?.receiving).toBe(true);

    const restored = await calculaud(data, 'restore', '--to', 'latest', '--yes');
    expect(restored).toMatchObject({ exitCode: 0, said: expect.stringContaining('recovery stopping after') });
    system = await startSystem(data);
    expect(await described()).toEqual(before);
    await until('a backup of the restored server', async () => {
      const last = (await statusOf())?.repositories[0]?.base;
      return last && last > new Date(status?.at ?? 0) ? last : undefined;
    });
  });

  test('with the kit and a repository it comes back on another machine, files too', async () => {
    const files = readdirSync(join(data, 'files')).length;
    expect(files).toBeGreaterThan(10);
    const before = await described();
    await until('the log of the last purpose', async () => {
      const now = await statusOf();
      const [kept] = now?.repositories ?? [];
      return kept?.lsn && kept.lsn === now?.receivedLsn && kept.attachedUntil ? true : undefined;
    });
    await system.stop();
    const kit = join(data, 'kit-on-paper.txt');
    renameSync(join(data, 'recovery-kit.txt'), kit);
    const other = newDataDirectory();
    try {
      const wrong = join(other, 'wrong.txt');
      const page = readFileSync(kit, 'utf8');
      writeFileSync(wrong, page.replace(/AGE-SECRET-KEY-1\w+/, `AGE-SECRET-KEY-1${'Q'.repeat(58)}`));
      expect(await calculaud(other, 'restore', '--to', 'latest', '--kit', wrong, '--yes')).toMatchObject({
        exitCode: 3,
      });
      const restored = await calculaud(other, 'restore', '--to', 'latest', '--kit', kit, '--yes');
      expect(restored).toMatchObject({ exitCode: 0 });
      expect(existsSync(join(other, 'backup.keys'))).toBe(true);
      system = await startSystem(other, { CALCULAUD_BACKUP: 'off' });
      expect(await described()).toEqual(before);
      expect(readdirSync(join(other, 'files')).length).toBe(files);
      await system.stop();
    } finally {
      removeDataDirectory(other);
    }
    system = await startSystem(data);
  });
});

function killServer(): void {
  const pid = Number(readFileSync(join(data, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
  process.kill(pid, 'SIGKILL');
}
