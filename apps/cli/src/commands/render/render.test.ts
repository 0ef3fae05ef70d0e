import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { environmentText } from '../../environment/testing/environment.ts';
import { calculaud } from '../../testing/command-line.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-render-test-'));
  writeFileSync(join(folder, 'good.yml'), environmentText());
  writeFileSync(join(folder, 'bad.yml'), environmentText({ kind: 'x', domain: 7 }));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('the stack file is the only thing on standard output', async () => {
  const { exitCode, stdout, stderr } = await calculaud(`render --file ${folder}/good.yml`);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(parse(stdout)).toMatchObject({
    version: '3.9',
    services: { 'api-blue': { image: 'calculaud:1.0.0' } },
  });
  const { events } = await calculaud(`render --json --file ${folder}/good.yml`);
  expect(events()).toEqual([{ version: 1, event: 'stack', name: 'calculaud-test', file: stdout.trimEnd() }]);
});

test('a folder holds the stack file and all that it mounts', async () => {
  const output = join(folder, 'out');
  expect(await calculaud(`render --file ${folder}/good.yml --output ${output}`)).toMatchObject({
    exitCode: 0,
  });
  const stack: unknown = parse(readFileSync(join(output, 'stack.yml'), 'utf8'));
  const files = readdirSync(output).filter((name) => name !== 'stack.yml');
  expect(files).toHaveLength(3);
  for (const name of files) {
    expect(stack).toMatchObject({ configs: { [name.split('_')[1] ?? '']: { name, file: `./${name}` } } });
  }
});

test('a configuration that is wrong is refused with all that is wrong', async () => {
  const { exitCode, stdout, stderr } = await calculaud(`render --file ${folder}/bad.yml`);
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toContain('kind cannot be "x"');
  expect(stderr).toContain('domain cannot be 7');
});
