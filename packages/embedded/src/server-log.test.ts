import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keepLogSmall, lastLines } from './server-log.ts';
import { dataFolder } from './testing/folders.ts';

test('a log that has grown large is moved aside, and the server goes on writing at its beginning', () => {
  const path = join(dataFolder(), 'postgres.log');
  const server = openSync(path, 'a');
  writeSync(server, Buffer.alloc(17 * 1024 * 1024, 'old\n'));
  clearInterval(keepLogSmall(path));
  writeSync(server, 'new\n');
  closeSync(server);
  expect(readFileSync(path, 'utf8')).toBe('new\n');
  expect(statSync(`${path}.1`).size).toBe(17 * 1024 * 1024);

  // A small one stays.
  clearInterval(keepLogSmall(path));
  expect(readFileSync(path, 'utf8')).toBe('new\n');
});

test('the last lines are those of this start', () => {
  const path = join(dataFolder(), 'postgres.log');
  expect(lastLines(path)).toBe('(there is no log)');
  writeFileSync(path, 'yesterday\n');
  const start = statSync(path).size;
  for (let line = 1; line <= 20; line += 1) appendFileSync(path, `line ${line}\n`);
  expect(lastLines(path, start, 2)).toBe('line 19\nline 20');
  expect(lastLines(path, start, 50).split('\n')).toHaveLength(20);
});
