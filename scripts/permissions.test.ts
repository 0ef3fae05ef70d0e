import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { permits, permissions, type Role } from '@calculaud/contract/permissions';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ROOT } from './workflow-files.ts';

const AGREED = join(ROOT, 'scripts/permissions.golden.txt');

const ROLES: readonly Role[] = ['user', 'admin'];

const endpoint = z.object({
  id: z.string(),
  method: z.string(),
  path: z.string(),
  permission: z.enum([...permissions, 'public']),
});

type Declared = z.output<typeof endpoint>;

/** The endpoints among the values that a file exports; those of a catalogue are fields of one object. */
function declaredIn(value: unknown, depth = 0): readonly Declared[] {
  const found = endpoint.safeParse(value);
  if (found.success) return [found.data];
  if (typeof value !== 'object' || value === null || depth > 1) return [];
  return Object.values(value).flatMap((inner: unknown) => declaredIn(inner, depth + 1));
}

/** Every endpoint that a file of the contract declares. */
async function endpoints(): Promise<readonly Declared[]> {
  const folder = join(ROOT, 'packages/contract/src');
  const names = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const modules = await Promise.all(
    names.map(async (name): Promise<unknown> => import(pathToFileURL(join(folder, name)).href)),
  );
  return modules.flatMap((module) => declaredIn(module));
}

/** A change of who may do what is seen by whoever reads the change: it changes this file, too (npx vitest -u). */
test('who may do what is as it was agreed', async () => {
  const lines = (await endpoints()).map(({ method, path, permission }) => {
    const roles = permission === 'public' ? ['everybody'] : ROLES.filter((role) => permits(role, permission));
    return `${method.padEnd(6)} ${path.padEnd(60)} ${permission.padEnd(32)} ${roles.join(' ')}`;
  });
  expect(existsSync(AGREED)).toBe(true);
  await expect(`${[...new Set(lines)].toSorted().join('\n')}\n`).toMatchFileSnapshot(AGREED);
});
