import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lease, withLease } from '../../apps/cli/src/deployment/lease.ts';
import { LeaseHeld } from '../../apps/cli/src/deployment/lease-errors.ts';
import { appendToLedger, readLedger } from '../../apps/cli/src/deployment/ledger-store.ts';
import { openRegister } from '../../apps/cli/src/deployment/register.ts';
import { type Docker, openDocker } from '../../apps/cli/src/host/docker.ts';
import { parseDockerAddress } from '../../apps/cli/src/host/docker-address.ts';
import { type DockerDaemon, startDaemon } from './daemon.ts';
import { docker as client } from './docker-command.ts';
import { joinSecondNode, type SecondNode } from './second-node.ts';

let daemon: DockerDaemon;
let second: SecondNode;
let docker: Docker;
beforeAll(async () => {
  daemon = await startDaemon();
  second = await joinSecondNode(daemon);
  docker = await openDocker(parseDockerAddress(daemon.host));
});
afterAll(async () => {
  await docker.close();
  await second.stop();
  await daemon.stop();
});

/** What the client says once the swarm has noticed that nobody leads. */
async function leaderless(): Promise<string> {
  for (;;) {
    const said = await client(daemon.host, 'config', 'create', `probe-${Date.now()}`, '/etc/hostname').then(
      () => undefined,
      (error: unknown) => String(error),
    );
    if (said !== undefined) return said;
    await sleep(200);
  }
}

async function append(lease: Lease, command: string): Promise<void> {
  const at = new Date().toISOString();
  const nothing = { plan: null, steps: [], figures: null, note: null };
  await appendToLedger(lease, { command, startedAt: at, at, outcome: 'done', ...nothing });
}

test('a swarm without a leader stops the work for as long, loses nothing and lets nobody else in', async () => {
  const register = openRegister(docker.api, 'state-leader');
  const runs: string[] = [];
  await withLease(register, { who: 'dana@laptop', command: 'deploy' }, async (lease) => {
    await append(lease, 'before');
    second.standStill();
    const during = append(lease, 'during');
    const stopped = new AbortController();
    const effect = lease.guard(async (signal) => {
      runs.push('begun');
      if (runs.length > 1) return;
      await sleep(600_000, undefined, { signal }).catch((error: unknown) => {
        runs.push('stopped');
        stopped.abort();
        throw error;
      });
    });
    await once(stopped.signal, 'abort');

    expect(await leaderless()).toMatch(/leader|deadline/i);
    const contender = withLease(
      register,
      { who: 'eli@desk', command: 'rollback' },
      async () => undefined,
    ).catch((error: unknown) => error);
    second.goOn();
    await Promise.all([during, effect]);
    expect(runs).toEqual(['begun', 'stopped', 'begun']);
    expect(await contender).toBeInstanceOf(LeaseHeld);
    await append(lease, 'after');
  });
  const { entries, problems } = await readLedger(register);
  expect(problems).toEqual([]);
  expect(entries.map(({ command }) => command)).toEqual(['before', 'during', 'after']);
  expect(entries.map(({ token }) => token)).toEqual([1, 1, 1]);
});
