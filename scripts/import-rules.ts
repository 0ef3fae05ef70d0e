import { basename } from 'node:path';
import type { SourceFile } from './source-files.ts';

/** A rule of the house. `violations` names the offending lines; the examples prove that it can. */
export interface Rule {
  readonly rule: string;
  readonly reason: string;
  readonly violations: (files: readonly SourceFile[]) => readonly string[];
  readonly forbidden: Readonly<Record<string, string>>;
  readonly allowed: Readonly<Record<string, string>>;
}

/** One file at a time: what it must not import. */
function imports(
  forbids: (file: SourceFile, target: string, specifier: string) => boolean,
): Rule['violations'] {
  return (files) =>
    files.flatMap((file) =>
      file.imports
        .filter(({ target, specifier }) => forbids(file, target, specifier))
        .map(({ specifier }) => `${file.path} imports ${specifier}`),
    );
}

/** One file at a time: what it must not say. */
function words(applies: (path: string) => boolean, forbidden: RegExp): Rule['violations'] {
  return (files) =>
    files
      .filter(({ path }) => applies(path))
      .flatMap(({ path, text }) =>
        [...text.matchAll(new RegExp(forbidden, 'g'))].map(
          (match) => `${path}:${text.slice(0, match.index).split('\n').length} says ${match[0].trim()}`,
        ),
      );
}

function paths(forbidden: RegExp): Rule['violations'] {
  return (files) => files.map(({ path }) => path).filter((path) => forbidden.test(path));
}

/** Tests, and what only tests use. */
/** The tests, and the folders called testing: of an app, or of a feature in it. */
const isTest = (path: string): boolean =>
  /\.test\.tsx?$/.test(path) || /\/src\/(?:[^/]+\/)?testing\//.test(path);
const isProduct = (path: string): boolean => /^(apps|packages)\/[^/]+\/src\//.test(path) && !isTest(path);

/** The feature of a file of the server; platform and the files at the top belong to none. */
function featureOf(path: string): string | undefined {
  const feature = /^apps\/server\/src\/([^/]+)\//.exec(path)?.[1];
  return feature === 'platform' ? undefined : feature;
}

/** The entries and the list of all features, at the top of the server. */
function isTop(path: string): boolean {
  return /^apps\/server\/src\/[^/]+$/.test(path);
}

/** `queries.ts` (or a folder `queries/`) holds the statements of a feature, `shapes.ts` the JSON of its records. */
function buildsSql(path: string): boolean {
  return (
    ['queries.ts', 'shapes.ts'].includes(basename(path)) ||
    path.includes('/queries/') ||
    path === 'apps/server/src/platform/sql.ts'
  );
}

const SOCKETS_AND_PROCESSES = new Set(
  ['child_process', 'cluster', 'dgram', 'http', 'http2', 'https', 'net', 'tls', 'worker_threads'].map(
    (name) => `node:${name}`,
  ),
);

export const rules: readonly Rule[] = [
  {
    rule: 'contract imports zod only',
    reason: 'it runs in the browser and in every client, and nothing that changes elsewhere may change it',
    violations: imports(
      ({ path }, target) =>
        path.startsWith('packages/contract/') &&
        isProduct(path) &&
        target !== 'zod' &&
        !target.startsWith('packages/contract/'),
    ),
    forbidden: { 'packages/contract/src/purposes.ts': "import { readFile } from 'node:fs/promises';" },
    allowed: {
      'packages/contract/src/purposes.ts': "import { z } from 'zod';\nimport { x } from './endpoint.ts';",
    },
  },
  {
    rule: 'packages never import apps',
    reason:
      'a package is what several apps stand on; the other way round it could not be used without the app',
    violations: imports(({ path }, target) => path.startsWith('packages/') && target.startsWith('apps/')),
    forbidden: { 'packages/db/src/migrate.ts': "import type { App } from '@calculaud/server/app';" },
    allowed: { 'apps/cli/src/main.ts': "import { migrate } from '@calculaud/db/migrate';" },
  },
  {
    rule: 'the product never imports what is for tests',
    reason: 'it would bring servers, accounts and shortcuts of the tests to production',
    violations: imports(
      ({ path }, target) =>
        isProduct(path) &&
        !path.startsWith('packages/testing/') &&
        (isTest(target) || target.startsWith('packages/testing/') || target === 'vitest'),
    ),
    forbidden: {
      'apps/server/src/start.ts': "import { startApp } from './testing/app.ts';",
      'apps/cli/src/main.ts': "import { createTestDatabase } from '@calculaud/testing/database';",
      'apps/server/src/identity/routes.ts': "import { signInApp } from './testing/app.ts';",
    },
    allowed: {
      'apps/server/src/app.test.ts': "import { startApp } from './testing/app.ts';",
      'apps/server/src/identity/testing/app.ts': "import { testApp } from '../../testing/app.ts';",
    },
  },
  {
    rule: 'platform never imports a feature',
    reason: 'it is the ground of every feature and holds no business word',
    violations: imports(
      ({ path }, target) =>
        path.startsWith('apps/server/src/platform/') &&
        isProduct(path) &&
        target.startsWith('apps/server/') &&
        !target.startsWith('apps/server/src/platform/'),
    ),
    forbidden: { 'apps/server/src/platform/http.ts': "import { list } from '../purposes/service.ts';" },
    allowed: { 'apps/server/src/platform/http.ts': "import { Problem } from './problem.ts';" },
  },
  {
    rule: 'a feature is imported only through its service.ts (by the cli, too), or as shapes.ts by the SQL of another',
    reason:
      'routes, queries and rules can then change without looking at anybody else; one statement may embed records of others',
    violations: imports(({ path }, target) => {
      const [from, to] = [featureOf(path), featureOf(target)];
      if (to === undefined || to === from || to === 'testing' || isTop(path)) return false;
      // Benches measure what is inside.
      if (!path.startsWith('apps/')) return false;
      if (basename(target) === 'shapes.ts') return !buildsSql(path);
      return basename(target) !== 'service.ts';
    }),
    forbidden: {
      'apps/server/src/purchases/service.ts': "import { findPurpose } from '../purposes/queries.ts';",
      'apps/server/src/purchases/routes.ts': "import { purposeJson } from '../purposes/shapes.ts';",
      'apps/cli/src/commands/token/create.ts': "import { x } from '@calculaud/server/identity/queries';",
    },
    allowed: {
      'apps/server/src/purchases/service.ts':
        "import { touch } from '../purposes/service.ts';\nimport { x } from './queries.ts';\nimport { y } from '../platform/z.ts';",
      'apps/server/src/purposes/queries.ts': "import { supplierJson } from '../catalog/shapes.ts';",
      'apps/server/src/app.ts': "import { routes } from './purposes/routes.ts';",
    },
  },
  {
    rule: 'only queries.ts and shapes.ts (and platform/sql.ts, and packages about the database) build SQL',
    reason: 'every statement of a feature can then be read, measured and reviewed in one place',
    violations: words(
      (path) => path.startsWith('apps/') && isProduct(path) && !buildsSql(path),
      /\bsql\s*(?:<[^>`]*>)?`|\bsql\.raw\(|\.(?:selectFrom|insertInto|updateTable|deleteFrom|mergeInto)\(|\.query(?:<[^>]*>)?\(\s*['"`]/,
    ),
    forbidden: {
      'apps/server/src/purposes/service.ts': 'const rows = await sql<Row>`select 1`.execute(db);',
      'apps/server/src/purposes/rules.ts': "db.selectFrom('purpose')",
      'apps/server/src/purposes/jobs.ts': "client.query('select 1')",
    },
    allowed: {
      'apps/server/src/purposes/queries/list.ts': 'sql`select 1`',
      'apps/server/src/purposes/queries.ts': "const q = sql`select 1`;\ndb.selectFrom('purpose')",
      'apps/server/src/purposes/routes.ts': 'request.query(parse)',
    },
  },
  {
    rule: 'only packages/config reads the environment',
    reason: 'one schema then says all there is to set, and a wrong value is found at the start',
    violations: words(
      (path) => isProduct(path) && !path.startsWith('packages/config/'),
      /\bprocess\.env\b|\benv\b[^;'"]*from 'node:process'|\bloadEnvFile\b/,
    ),
    forbidden: { 'apps/server/src/start.ts': 'const port = process.env.PORT;' },
    allowed: {
      'packages/config/src/sources.ts': 'process.env',
      'apps/server/src/start.ts': 'process.exit(1)',
    },
  },
  {
    rule: 'only cli/host runs processes or opens sockets',
    reason: 'commands are plans that a test can look at; effects stay where they can be watched',
    violations: imports(
      ({ path }, target) =>
        path.startsWith('apps/cli/src/') &&
        !path.startsWith('apps/cli/src/host/') &&
        isProduct(path) &&
        (SOCKETS_AND_PROCESSES.has(target) || target === 'pg'),
    ),
    forbidden: { 'apps/cli/src/commands/db/status.ts': "import { spawn } from 'node:child_process';" },
    allowed: { 'apps/cli/src/host/database.ts': "import { spawn } from 'node:child_process';" },
  },
  {
    rule: 'rules.ts and plan.ts are pure: no I/O, clock or randomness',
    reason: 'the same input then always gives the same answer, and a test needs nothing but the input',
    violations: (files) => {
      const pure = (path: string): boolean => /\/(rules|plan)\.ts$/.test(path) && isProduct(path);
      return [
        ...imports(({ path }, target) => pure(path) && target.startsWith('node:'))(files),
        ...words(pure, /\bDate\.now\(|\bnew Date\(\s*\)|\bMath\.random\(|\bfetch\(/)(files),
      ];
    },
    forbidden: {
      'apps/server/src/flows/rules.ts': 'const now = new Date();',
      'apps/cli/src/commands/db/plan.ts': "import { readFileSync } from 'node:fs';",
    },
    allowed: { 'apps/server/src/flows/rules.ts': 'const day = new Date(text);' },
  },
  {
    rule: 'a relative import ends in .ts and stays inside its package',
    reason:
      'the same text then works for Node, tsx, Vitest and esbuild; across packages the package name is the way',
    violations: imports(({ path }, target, specifier) => {
      if (!specifier.startsWith('.')) return false;
      const home = path.split('/').slice(0, 2).join('/');
      const leaves = isProduct(path) && !target.startsWith(`${home}/`);
      return leaves || !/\.(tsx?|json|css)$/.test(specifier);
    }),
    forbidden: {
      'apps/server/src/app.ts': "import { x } from './purposes/routes.js';",
      'apps/server/src/start.ts': "import { x } from '../../../packages/config/src/load.ts';",
      'packages/db/src/migrate.ts': "import { x } from './runner';",
    },
    allowed: { 'packages/config/src/schema.ts': "import x from '../package.json' with { type: 'json' };" },
  },
  {
    rule: 'no barrel files',
    reason: 'the file that is imported is the file that holds it; a barrel loads everything and hides cycles',
    violations: paths(/\/index\.tsx?$/),
    forbidden: { 'packages/db/src/index.ts': '' },
    allowed: { 'packages/db/src/indexes.ts': '' },
  },
  {
    rule: 'no default exports',
    reason: 'a thing has one name everywhere, so that one search finds all its uses',
    violations: words(
      (path) => !path.endsWith('.config.ts'),
      /^export\s+default\b|^export\s*\{[^}]*\bas default\b/m,
    ),
    forbidden: { 'apps/web/src/app.tsx': 'export default function App() {}' },
    allowed: { 'vitest.config.ts': 'export default {};', 'apps/web/src/app.tsx': 'export function App() {}' },
  },
  {
    rule: 'no utils, helpers, common or manager',
    reason: 'a name that says nothing gathers everything',
    violations: paths(/(^|[/.-])(utils?|helpers?|common|managers?)([/.-]|$)/i),
    forbidden: { 'apps/server/src/platform/date-utils.ts': '', 'packages/common/src/x.ts': '' },
    allowed: { 'apps/server/src/platform/dates.ts': '' },
  },
  {
    rule: 'no cycles',
    reason: 'what depends on itself can neither be understood nor moved in parts',
    violations: cycles,
    forbidden: {
      'packages/db/src/a.ts': "import { b } from './b.ts';",
      'packages/db/src/b.ts': "import type { c } from './c.ts';",
      'packages/db/src/c.ts': "export { a } from '@calculaud/db/a';",
    },
    allowed: {
      'packages/db/src/a.ts': "import { b } from './b.ts';\nimport { c } from './c.ts';",
      'packages/db/src/b.ts': "import { c } from './c.ts';",
      'packages/db/src/c.ts': '',
    },
  },
];

function cycles(files: readonly SourceFile[]): readonly string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start !== -1) found.push([...trail.slice(start), path].join(' -> '));
    if (start !== -1 || done.has(path)) return;
    for (const { target } of byPath.get(path)?.imports ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of byPath.keys()) visit(path, []);
  return found;
}
