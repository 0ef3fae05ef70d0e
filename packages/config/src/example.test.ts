import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { renderExample } from './example.ts';
import { loadConfig } from './load.ts';

const example = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8');

test('the example is the one of this schema (npm run gen writes it)', () => {
  expect(example).toBe(renderExample());
});

test('a copy of the example changes nothing', () => {
  expect(loadConfig(parseEnv(example))).toEqual(loadConfig({}));
});

test('its commented values are the defaults', () => {
  const uncommented = example.replaceAll(/^#(?=[A-Z\d_]+=)/gm, '');
  expect(Object.keys(parseEnv(uncommented)).length).toBeGreaterThan(40);
  expect(loadConfig(parseEnv(uncommented))).toEqual(loadConfig({}));
});
