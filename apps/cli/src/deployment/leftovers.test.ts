import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { calculaud } from '../testing/command-line.ts';
import { type Engine, startEngine } from '../testing/engine.ts';
import { writeEnvironment } from '../testing/environment.ts';

let engine: Engine;
let file: string;
beforeEach(async () => {
  engine = await startEngine();
  file = writeEnvironment(engine.address);
});
afterEach(async () => {
  await engine.stop();
  rmSync(dirname(file), { recursive: true });
});

test('whoever gets the lock takes away what a killed command has left, and nothing of others', async () => {
  const { services, containers } = engine.running;
  services.set('calculaud-production-migrate-expand', 'calculaud.job=calculaud-production');
  services.set('calculaud-staging-migrate-expand', 'calculaud.job=calculaud-staging');
  containers.set('quirky_prober', 'calculaud.beside=calculaud-production');
  containers.set('somebody_else', 'calculaud.beside=calculaud-staging');

  const { exitCode, stderr } = await calculaud(['deploy', 'abort', '--file', file]);
  expect(exitCode).toBe(0);
  expect(stderr).toContain('A killed command had left the job calculaud-production-migrate-expand.');
  expect(stderr).toContain('A killed command had left the program quirky_prober.');
  expect([...services.keys()]).toEqual(['calculaud-staging-migrate-expand']);
  expect([...containers.keys()]).toEqual(['somebody_else']);
});

test('what is being taken away by somebody else is no failure', async () => {
  engine.running.containers.set('quirky_prober', 'calculaud.beside=calculaud-production');
  engine.trouble = (request) =>
    request.startsWith('DELETE') && request.includes('quirky_prober')
      ? { status: 409, message: 'removal of container quirky_prober is already in progress' }
      : undefined;
  const { exitCode, stderr } = await calculaud(['deploy', 'abort', '--file', file]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: 'No deployment is unfinished.\n' });
});
