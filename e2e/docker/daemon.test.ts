import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { controlGroupOf, daemonIn, removeAbandonedDaemons } from './abandoned-daemons.ts';
import { startDaemon } from './daemon.ts';

const run = promisify(execFile);
const folderOf = (host: string): string => dirname(host.replace('unix://', ''));
const controlGroups = (): string[] =>
  ['.', ...readdirSync('/sys/fs/cgroup')].flatMap((tree) => readdirSync(`/sys/fs/cgroup/${tree}`));

test('several daemons live side by side, each a swarm of its own, and leave nothing behind', async () => {
  const [one, other] = [await startDaemon(), await startDaemon()];
  const nodes = await Promise.all(
    [one, other].map(async ({ host }) => run('docker', ['--host', host, 'node', 'ls', '--quiet'])),
  );
  expect(nodes[0]?.stdout).toMatch(/^\w{25}\n$/);
  expect(nodes[0]?.stdout).not.toBe(nodes[1]?.stdout);

  await Promise.all([one.stop(), other.stop()]);
  for (const { host } of [one, other]) {
    expect(existsSync(folderOf(host))).toBe(false);
    expect(controlGroups()).not.toContain(controlGroupOf(folderOf(host)));
  }
});

test('the daemon of a run that was killed is ended by the next one, and only that', async () => {
  const mine = await startDaemon();
  const script = `import { startDaemon } from '${fileURLToPath(new URL('daemon.ts', import.meta.url))}';
    console.log((await startDaemon()).host); setInterval(() => {}, 1000);`;
  const killed = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const host = await new Promise<string>((resolve) => {
    createInterface({ input: killed.stdout }).once('line', resolve);
  });
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  expect(daemonIn(folderOf(host))).toBeDefined();

  await removeAbandonedDaemons();
  expect(daemonIn(folderOf(host))).toBeUndefined();
  expect(existsSync(folderOf(host))).toBe(false);
  expect(daemonIn(folderOf(mine.host))).toBeDefined();
  await mine.stop();
});
