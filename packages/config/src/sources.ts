import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { Problem } from './problem.ts';
import { aboutSetting, type SettingName, settingNames } from './schema.ts';
import { nearest } from './spelling.ts';

/** Variables by name, as `process.env` holds them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that came from one place; the first place that names a variable wins. */
interface Source {
  readonly name: string;
  readonly variables: Environment;
  /** What is wrong with the place itself. */
  readonly problem?: Problem;
}

/** The text of a setting and where it was found. */
export interface Found {
  readonly text: string;
  readonly origin: string;
}

/** The process's environment, then a `.env` file in the folder it was started in. */
export function systemSources(): readonly Source[] {
  return [{ name: 'environment', variables: process.env }, ...dotEnv(resolve('.env'))];
}

function dotEnv(path: string): readonly Source[] {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    const reason = error instanceof Error ? error.message : String(error);
    const problem = {
      name: '.env',
      problem: `cannot be read (${reason})`,
      expected: `a readable file, or none, at ${path}`,
    };
    return [{ name: '.env', variables: {}, problem }];
  }
  return [{ name: '.env', variables: parseEnv(content) }];
}

export function givenEnvironment(variables: Environment): readonly Source[] {
  return [{ name: 'environment', variables }];
}

/** Looks every setting up; says which names are wrong without looking at what the settings mean. */
export function find(sources: readonly Source[]): {
  found: ReadonlyMap<SettingName, Found>;
  problems: readonly Problem[];
} {
  const found = new Map<SettingName, Found>();
  const problems: Problem[] = [
    ...sources.flatMap(({ problem }) => problem ?? []),
    ...unknownNames(sources),
    ...uncheckedCertificates(sources),
  ];
  for (const name of settingNames) {
    const direct = lookUp(name, sources);
    const file = aboutSetting(name).secret && lookUp(`${name}_FILE`, sources);
    if (!file) {
      if (direct) found.set(name, direct);
    } else if (direct) {
      problems.push({
        name,
        problem: `is given twice, as ${name} and as ${name}_FILE`,
        expected: 'only one of the two',
      });
    } else {
      const content = readSecret(file.text);
      if (content === undefined) {
        problems.push({
          name: `${name}_FILE`,
          problem: `names ${file.text}, which cannot be read or is empty`,
          expected: 'a readable file that holds the value',
        });
      } else {
        found.set(name, { text: content, origin: `${name}_FILE (${file.text})` });
      }
    }
  }
  return { found, problems };
}

/** An empty variable counts as left out, as compose files write it; it still hides what a later source says. */
function lookUp(name: string, sources: readonly Source[]): Found | undefined {
  for (const { name: origin, variables } of sources) {
    const exact = variables[name];
    if (exact !== undefined) return exact.trim() === '' ? undefined : { text: exact, origin };
    const other = otherCase(name, variables);
    const text = other && variables[other];
    if (other && text) return { text, origin: `${origin}, as ${other}` };
  }
  return undefined;
}

function otherCase(name: string, variables: Environment): string | undefined {
  const setting = settingNames.find((known) => known === name);
  if (!setting || !aboutSetting(setting).v1) return undefined;
  return Object.keys(variables).find((key) => key.toUpperCase() === name);
}

function readSecret(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Node's own switch: it would let anybody on the way pose as the identity provider, the store or the database. */
function uncheckedCertificates(sources: readonly Source[]): Problem[] {
  const name = 'NODE_TLS_REJECT_UNAUTHORIZED';
  return sources.some(({ variables }) => variables[name]?.trim() === '0')
    ? [
        {
          name,
          problem: 'is 0, which switches the check of certificates off for every connection',
          expected: 'to be left out; a certificate authority of your own is named in NODE_EXTRA_CA_CERTS',
        },
      ]
    : [];
}

/** Only our own prefix is held to be complete: the rest of the environment belongs to others. */
function unknownNames(sources: readonly Source[]): Problem[] {
  const files = settingNames.filter((name) => aboutSetting(name).secret).map((name) => `${name}_FILE`);
  const known = new Set<string>([...settingNames, ...files]);
  const given = new Set(sources.flatMap(({ variables }) => Object.keys(variables)));
  return [...given]
    .filter((name) => name.startsWith('CALCULAUD_') && !known.has(name))
    .toSorted()
    .map((name) => {
      const suggestion = nearest(name, [...known]) ?? nearest(name.replace(/_FILE$/, ''), [...known]);
      return {
        name,
        problem: 'is not a setting of this version',
        expected: suggestion ? `did you mean ${suggestion}?` : 'a name from `calculaud config show`',
      };
    });
}
