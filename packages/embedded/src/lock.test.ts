import { mkdtempSync, readdirSync, readlinkSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAbandoned, lockDataDirectory } from './lock.ts';
import { startMarkOf } from './processes.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-lock-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('a second one is refused until the first lets go', async () => {
  const first = await lockDataDirectory(folder);
  await expect(lockDataDirectory(folder)).rejects.toThrow(`process ${process.pid} holds ${folder}`);
  expect(isAbandoned(folder)).toBe(false);
  first.release();
  expect(isAbandoned(folder)).toBe(true);
  const second = await lockDataDirectory(folder);
  second.release();
  expect(readdirSync(folder)).toEqual(['lock.2']);
});

test('of many at once one gets it', async () => {
  const attempts = await Promise.allSettled(
    Array.from({ length: 20 }, async () => lockDataDirectory(folder)),
  );
  expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const attempt of attempts) if (attempt.status === 'fulfilled') attempt.value.release();
});

test('the lock of a dead process is taken over, also when its number lives on in another', async () => {
  const space = process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid') : 'the only one';
  const dead = [`4194000\n1/1\n${space}`, `${process.pid}\n${startMarkOf(1)}\n${space}`, 'garbage', ''];
  for (const content of dead) {
    writeFileSync(join(folder, 'lock.7'), content);
    expect(isAbandoned(folder)).toBe(true);
    const next = await lockDataDirectory(folder);
    expect(readdirSync(folder)).toEqual(['lock.8']);
    next.release();
    rmSync(join(folder, 'lock.8'));
  }
});

test('a process of another container, whose number says nothing, holds the lock as long as it shows life', async () => {
  const path = join(folder, 'lock.1');
  writeFileSync(path, `${process.pid}\nmark\npid:[1]`);
  const life = setInterval(() => utimesSync(path, new Date(), new Date()), 500);
  await expect(lockDataDirectory(folder)).rejects.toThrow(/already runs on this data folder/);
  expect(isAbandoned(folder)).toBe(false);
  clearInterval(life);
  const next = await lockDataDirectory(folder);
  next.release();
});
