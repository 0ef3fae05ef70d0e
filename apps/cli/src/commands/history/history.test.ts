import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withLease } from '../../deployment/lease.ts';
import { appendToLedger } from '../../deployment/ledger-store.ts';
import { openRegister } from '../../deployment/register.ts';
import { type Docker, openDocker } from '../../host/docker.ts';
import { calculaud } from '../../testing/command-line.ts';
import { type Engine, startEngine } from '../../testing/engine.ts';
import { writeEnvironment } from '../../testing/environment.ts';

let engine: Engine;
let docker: Docker;
let file: string;
beforeEach(async () => {
  engine = await startEngine();
  docker = await openDocker(engine.address);
  file = writeEnvironment(engine.address);
});
afterEach(async () => {
  await docker.close();
  await engine.stop();
  rmSync(dirname(file), { recursive: true });
});

async function append(count: number): Promise<void> {
  const register = openRegister(docker.api, 'calculaud-production');
  await withLease(register, { who: 'dana@laptop', command: 'scale' }, async (lease) => {
    for (let n = 1; n <= count; n += 1) {
      const at = `2026-01-01T10:0${n}:00.000Z`;
      const content = { command: `scale api ${n}`, startedAt: at, at, outcome: 'done' as const };
      await appendToLedger(lease, { ...content, plan: null, steps: [], figures: null, note: null });
    }
  });
}
const history = async (...line: readonly string[]) => calculaud(['history', '--file', file, ...line]);

describe('calculaud history', () => {
  test('says so when nothing was ever deployed', async () => {
    const { exitCode, stdout, stderr } = await history();
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toContain('Nothing was ever deployed as calculaud-production');
  });

  test('shows the newest entries, the newest last, and that all are proven', async () => {
    await append(3);
    const { exitCode, stdout, stderr } = await history('--limit', '2');
    expect(exitCode).toBe(0);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 4).join(' | '))).toEqual([
      'N | ENDED | WHO | COMMAND',
      '2 | 2026-01-01T10:02Z | dana@laptop | scale api 2',
      '3 | 2026-01-01T10:03Z | dana@laptop | scale api 3',
      '',
    ]);
    expect(stderr).toMatch(/All 3 entries are proven by [0-9a-f]{64}\./);
  });

  test('shows one entry in full', async () => {
    await append(2);
    const { stdout } = await history('1');
    expect(stdout).toContain('Command  scale api 1');
    expect((await history('9')).exitCode).toBe(3);
    expect((await history('nine')).exitCode).toBe(3);
  });

  test('is one event for each entry, and one for the whole, for programs', async () => {
    await append(2);
    const { events } = await history('--json', '--limit', '0');
    expect(events()).toMatchObject([
      { version: 1, event: 'entry', n: 1, who: 'dana@laptop', outcome: 'done' },
      { version: 1, event: 'entry', n: 2 },
      { version: 1, event: 'ledger', stack: 'calculaud-production', entries: 2, problems: [] },
    ]);
  });

  test('says what the engine said instead of an answer', async () => {
    engine.trouble = (request) =>
      request.endsWith('/configs/calculaud-production.state')
        ? { status: 500, message: 'disk full' }
        : undefined;
    const { exitCode, stderr } = await history();
    expect(exitCode).toBe(7);
    expect(stderr).toMatch(/GET \S+ to the Docker engine at unix:\S+ was answered with 500: disk full/);
    expect(stderr).not.toContain('Internal error');
  });

  test('ends with 2 when an entry is missing', async () => {
    await append(3);
    const [, second] = await docker.api.configs({ name: ['calculaud-production.ledger.'] });
    await docker.api.removeConfig(second?.Spec.Name ?? '');
    const { exitCode, stderr } = await history();
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Entry 2 is missing');
  });
});
