import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { keysAt } from './keys.ts';
import { readEnvironment } from './read.ts';
import { environmentSchema } from './schema.ts';
import { environment } from './testing/environment.ts';

const folder = fileURLToPath(new URL('../../../../deploy/', import.meta.url));
const complete = readFileSync(`${folder}calculaud.example.yml`, 'utf8');
const tree = z.record(z.string(), z.unknown());

const files = [
  'calculaud.example.yml',
  ...readdirSync(`${folder}examples`).map((name) => `examples/${name}`),
];

test.each(files)('%s is valid', (file) => {
  const { config, problems } = readEnvironment(readFileSync(`${folder}${file}`, 'utf8'));
  expect(problems).toEqual([]);
  expect(config?.name).toBe(/calculaud\.(\w+)\.yml/.exec(file)?.[1]);
});

test('the example names every key that there is', () => {
  const missing = missingKeys(parse(complete), []);
  // Keys of the other kinds of storage.
  expect(missing).toEqual([['storage', 'image'], ['sources']]);
});

/** Which keys of the schema the value at this path does not have. */
function missingKeys(value: unknown, path: readonly (string | number)[]): (string | number)[][] {
  if (Array.isArray(value)) return value.flatMap((item, index) => missingKeys(item, [...path, index]));
  const known = keysAt(path);
  const there = tree.safeParse(value).data ?? {};
  return known.flatMap((key) => (key in there ? missingKeys(there[key], [...path, key]) : [[...path, key]]));
}

test('what the example shows as a default is one', () => {
  const shown = environmentSchema.parse(parse(complete));
  const defaults = environment();
  expect(shown.replicas).toEqual(defaults.replicas);
  expect(shown.strategy).toEqual(defaults.strategy);
  expect(shown.resources).toEqual(defaults.resources);
  expect(shown.gateway).toEqual({ ...defaults.gateway, image: expect.any(String) });
  expect(shown.database).toEqual({ ...defaults.database, pooler_image: expect.any(String) });
  expect(shown.hosts[0]?.roles).toEqual(defaults.hosts[0]?.roles);
  expect(defaults.storage).toEqual({ kind: 'local' });
});
