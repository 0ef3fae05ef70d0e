import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newDataDirectory, removeDataDirectory, repository, startSystem, type System } from './system.ts';

/** The first purpose of the README, word for word: what a newcomer types has to work. */

let directory: string;
let system: System;

beforeAll(async () => {
  directory = newDataDirectory();
  system = await startSystem(directory);
});
afterAll(async () => {
  await system.stop();
  removeDataDirectory(directory);
});

test('the commands of the README file a purpose with a document, buy it, and find it in export and analytics', async () => {
  const { code, output } = await shell(
    `set -eu\n${secondExample().replaceAll('http://127.0.0.1:8000', system.url)}`,
  );
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(output).toContain('"original_filename" : "need.txt"');
  expect(output).toMatch(/"Backup servers for the laboratory","COMPLETED",.*"need\.txt"/);
  expect(output).toMatch(/"total_purposes"\s*:\s*1\b/);
  expect(output).toMatch(/"ils"\s*:\s*18500\.5\b/);
});

/** The shell block after the one with `npm start`. */
function secondExample(): string {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8');
  const block = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)][1]?.[1];
  if (block === undefined) {
    throw new Error('the README has no second shell block');
  }
  return block;
}

async function shell(script: string): Promise<{ code: number | null; output: string }> {
  const child = spawn('sh', ['-c', script], {
    cwd: repository,
    env: { ...process.env, CALCULAUD_DATA: directory, USER: 'newcomer' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}
