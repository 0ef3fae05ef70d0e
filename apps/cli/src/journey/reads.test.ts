import { readdirSync } from 'node:fs';
import type { Endpoint } from '@calculaud/contract/endpoint';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { reads } from './reads.ts';

/** Every read of the contract that needs no id. */
async function readsOfTheContract(): Promise<string[]> {
  const folder = new URL('../../../../packages/contract/src/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const modules = await Promise.all(
    files.map(async (name) =>
      z.record(z.string(), z.unknown()).parse({ ...(await import(new URL(name, folder).href)) }),
    ),
  );
  return modules
    .flatMap((exported) => Object.values(exported))
    .flatMap((value): unknown[] => [
      value,
      ...(typeof value === 'object' && value ? Object.values(value) : []),
    ])
    .filter(isEndpoint)
    .filter(({ method, path, atRoot }) => method === 'GET' && !path.includes('{') && !atRoot)
    .map(({ path }) => path);
}

function isEndpoint(value: unknown): value is Endpoint {
  return (
    typeof value === 'object' &&
    value !== null &&
    'permission' in value &&
    'path' in value &&
    'method' in value
  );
}

test('a journey opens every page that there is', async () => {
  const known = new Set(reads.map((path) => path.split('?')[0]));
  // The export has a step of its own, with a search.
  known.add('/purposes/export_csv');
  const all = await readsOfTheContract();
  expect(all.length).toBeGreaterThan(20);
  expect(all.filter((path) => !known.has(path))).toEqual([]);
});
