import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { markStep, startJournal } from '../../deployment/journal-store.ts';
import { withLease } from '../../deployment/lease.ts';
import { readLedger } from '../../deployment/ledger-store.ts';
import { openRegister, type Register } from '../../deployment/register.ts';
import { type Docker, openDocker } from '../../host/docker.ts';
import { calculaud } from '../../testing/command-line.ts';
import { type Engine, startEngine } from '../../testing/engine.ts';
import { writeEnvironment } from '../../testing/environment.ts';

let engine: Engine;
let docker: Docker;
let register: Register;
let file: string;
beforeEach(async () => {
  engine = await startEngine();
  docker = await openDocker(engine.address);
  register = openRegister(docker.api, 'calculaud-production');
  file = writeEnvironment(engine.address);
});
afterEach(async () => {
  await docker.close();
  await engine.stop();
  rmSync(dirname(file), { recursive: true });
});

const command = async (verb: string) => calculaud(['deploy', verb, '--file', file]);

describe('calculaud deploy abort', () => {
  test('says so when nothing is unfinished', async () => {
    const { exitCode, stderr } = await command('abort');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: 'No deployment is unfinished.\n' });
  });

  test('closes a deployment whose plan was taken away, which nobody else can end', async () => {
    await withLease(register, { who: 'dana@laptop', command: 'deploy' }, async (lease) => {
      const steps = [{ id: '1', title: 'Start green', kind: 'release', data: null }];
      await startJournal(lease, { id: 'p-1', command: 'deploy 1.1.0', summary: [], data: null, steps });
      await markStep(lease, '1', 'begun');
    });
    const { journal } = (await register.read()).record;
    await docker.api.removeConfig(journal?.plan.object ?? '');

    const resumed = await command('resume');
    expect(resumed.exitCode).toBe(3);
    expect(resumed.stderr).toContain('The plan p-1');
    expect(resumed.stderr).toContain('calculaud deploy abort');

    const aborted = await command('abort');
    expect(aborted.exitCode).toBe(5);
    expect(aborted.stderr).toContain('Closed as abandoned (entry 1 of the ledger)');
    expect((await register.read()).record.journal).toBeNull();
    const { entries } = await readLedger(register);
    expect(entries).toMatchObject([
      { command: 'deploy 1.1.0', outcome: 'abandoned', plan: null, steps: [{ id: '1', state: 'begun' }] },
    ]);
  });
});
