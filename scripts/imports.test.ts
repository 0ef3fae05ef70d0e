import { describe, expect, test } from 'vitest';
import { rules } from './import-rules.ts';
import { readSourceFiles, sourceFile } from './source-files.ts';

const files = readSourceFiles();

describe('the house', () => {
  test('is read', () => {
    const config = files.find(({ path }) => path === 'packages/config/src/load.ts');
    expect(config?.imports).toContainEqual({
      specifier: './schema.ts',
      target: 'packages/config/src/schema.ts',
    });
  });

  test.each(rules)('$rule', ({ rule, reason, violations }) => {
    expect(violations(files), `Rule: ${rule}.\nReason: ${reason}.`).toEqual([]);
  });
});

describe.each(rules)('the rule "$rule"', ({ violations, forbidden, allowed }) => {
  test('finds what is forbidden', () => {
    const broken = Object.entries(forbidden).map(([path, text]) => sourceFile(path, text));
    const found = violations(broken).join('\n');
    for (const { path } of broken) expect(found).toContain(path);
  });

  test('lets pass what is allowed', () => {
    const fine = Object.entries(allowed).map(([path, text]) => sourceFile(path, text));
    expect(violations(fine)).toEqual([]);
  });
});

describe('imports', () => {
  test.each([
    ["import { a } from 'zod';", 'zod'],
    ["import type { A } from './a.ts';", 'packages/x/src/a.ts'],
    ["import {\n  a,\n  b,\n} from '../b.ts';", 'packages/x/b.ts'],
    ["import './style.css';", 'packages/x/src/style.css'],
    ["export { a } from '@calculaud/db/deep/file';", 'packages/db/src/deep/file.ts'],
    ["export * from '@calculaud/server/purposes/service';", 'apps/server/src/purposes/service.ts'],
    ["const lazy = await import('node:fs');", 'node:fs'],
  ])('%j is found', (text, target) => {
    expect(sourceFile('packages/x/src/file.ts', text).imports.map((found) => found.target)).toEqual([target]);
  });

  test('in a comment does not count', () => {
    expect(
      sourceFile('packages/x/src/file.ts', "// import { a } from 'a';\n/*\nimport 'b';\n*/").imports,
    ).toEqual([]);
  });
});
