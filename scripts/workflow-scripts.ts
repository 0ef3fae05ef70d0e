import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { z } from 'zod';
import { ROOT } from './workflow-files.ts';

/** Which scripts of the repository a command calls: `npm run <name>`, or the path of a shell script or program. */

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const npmScripts = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('package.json'))).scripts;

/**
 * What .ci/run cannot do, and why. Each is nevertheless run by a test beside it, with stand-ins for the programs that would
 * reach out.
 */
export const ONLY_THERE: Readonly<Record<string, string>> = {
  'scripts/pipeline/audit.sh': 'asks GitHub about the pinned commits; the tests do the same without asking',
  'scripts/pipeline/as-root.sh': 'runs as whoever runs it',
  'scripts/pipeline/changed.sh': 'there is no change to look at: everything is run',
  'scripts/pipeline/part-versions.sh': 'there is no change to look at',
  'scripts/pipeline/title.sh': 'there is no pull request',
  'scripts/pipeline/succeeded.sh': 'there are no jobs',
  'scripts/pipeline/fresh.sh': 'asks GitHub where the main branch is',
  'scripts/pipeline/guarded.sh': 'asks GitHub who must approve',
  'scripts/pipeline/find-image.sh': 'asks the registry',
  'scripts/pipeline/push-image.sh': 'pushes to the registry; it builds by npm run image',
  'scripts/pipeline/publish-image.sh': 'pushes to the registry',
  'scripts/pipeline/sign-image.sh': 'signs with the identity of a run of a workflow',
  'scripts/pipeline/verify-image.sh': 'asks the registry and GitHub',
  'scripts/pipeline/publish-release.sh': 'publishes a release',
  'scripts/pipeline/with-ssh.sh': 'reaches the hosts of an environment',
  'scripts/pipeline/deploy.sh':
    'deploys to an environment; e2e:docker deploys to one of its own by the same command',
};

/** A word without a meaning for the shell, or a variable in quotes. */
const WORD = /^(?:[\w@:./=-]|"\$\w+(?:\/\d+)?")+$/;

/** The scripts that a single command calls, the one that another is handed too; undefined: it does anything else. */
export function calledScripts(command: string): readonly string[] | undefined {
  const words = command.trim().split(' ');
  if (!words.every((word) => WORD.test(word))) return undefined;
  const [program, first = '', ...rest] = words;
  if (program === 'npm') {
    const name = first === 'test' ? 'test' : first === 'run' ? rest[0] : undefined;
    return name !== undefined && name in npmScripts ? [`npm run ${name}`] : undefined;
  }
  if (program !== 'sh' || !/^scripts\/.+\.sh$/.test(first) || !existsSync(join(ROOT, first)))
    return undefined;
  if (rest[0] !== 'sh' && rest[0] !== 'npm') return [first];
  const handed = calledScripts(rest.join(' '));
  return handed && [first, ...handed];
}

const CALLS = /\bnpm run (?!--)([\w:-]+)|\btests ([\w:]+)|\b((?:scripts|e2e)\/[\w/-]+\.(?:sh|ts))/g;
const IMPORTS = /from '(\.[^']+)'/g;

/** Everything that .ci/run runs: what it names, and what that names in turn. */
export function scriptsOfChecks(): ReadonlySet<string> {
  const found = new Set<string>();
  const followFile = (path: string): void => {
    if (found.has(path) || !existsSync(join(ROOT, path))) return;
    found.add(path);
    const text = read(path);
    follow(text);
    for (const [, imported = ''] of text.matchAll(IMPORTS))
      followFile(posix.join(posix.dirname(path), imported));
  };
  const follow = (text: string): void => {
    for (const [, npm, tests, path] of text.matchAll(CALLS)) {
      const name = npm ?? tests;
      if (name === undefined) followFile(path ?? '');
      else if (!found.has(`npm run ${name}`)) {
        found.add(`npm run ${name}`);
        follow(`${npmScripts[`pre${name}`] ?? ''}\n${npmScripts[name] ?? ''}`);
      }
    }
  };
  follow(read('.ci/run').replace(/^\s*#.*$/gm, ''));
  // What is nothing but the name of a program that was run counts, too.
  for (const [name, command] of Object.entries(npmScripts)) {
    const [, program] = /^tsx ([\w/-]+\.ts)$/.exec(command) ?? [];
    if (program !== undefined && found.has(program)) found.add(`npm run ${name}`);
  }
  return found;
}

/** Texts of the tests beside the scripts of the pipelines. */
export function pipelineTests(): string {
  return readdirSync(join(ROOT, 'scripts/pipeline'))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => read(`scripts/pipeline/${name}`))
    .join('\n');
}
