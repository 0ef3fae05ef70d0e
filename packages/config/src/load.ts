import type { z } from 'zod';
import { type Config, group } from './config.ts';
import { dependentDefaults, withDefaults } from './defaults.ts';
import { mask } from './mask.ts';
import { ConfigError, type Problem } from './problem.ts';
import { contradictions } from './rules.ts';
import { aboutSetting, type SettingName, schema, settingNames } from './schema.ts';
import { type Environment, type Found, find, givenEnvironment, systemSources } from './sources.ts';

/** One line of `calculaud config show`. */
export interface ExplainedSetting {
  readonly name: SettingName;
  /** As text, secrets masked; null when there is none, or none that can be used. */
  readonly value: string | null;
  /** Where the value came from: default, environment, .env, or a file. */
  readonly origin: string;
  readonly description: string;
}

/** The effective settings and everything that is wrong with them. */
export interface Explanation {
  readonly settings: readonly ExplainedSetting[];
  readonly problems: readonly Problem[];
}

/**
 * The configuration of this process: from the given variables alone, or else from its environment and `.env`.
 * Throws a ConfigError that names every problem at once.
 */
export function loadConfig(environment?: Environment): Config {
  const { settings, problems } = read(environment);
  if (problems.length > 0) throw new ConfigError(problems);
  return group(settings);
}

/** Like loadConfig, but tells where every value came from, and lists the problems instead of throwing them. */
export function explainConfig(environment?: Environment): Explanation {
  const { found, defaults, settings, wrong, problems } = read(environment);
  const reasons: Partial<Record<SettingName, string>> = Object.fromEntries(
    Object.entries(defaults).map(([name, { because }]) => [name, because]),
  );
  return {
    problems,
    settings: settingNames.map((name) => {
      const value = wrong.has(name) ? null : mask(settings[name], aboutSetting(name).secret);
      const reason = value !== null && reasons[name];
      return {
        name,
        value,
        origin: found.get(name)?.origin ?? (reason ? `default (${reason})` : 'default'),
        description: aboutSetting(name).description,
      };
    }),
  };
}

/** Reads everything; a setting that is wrong stands at its default, so that the others can still be looked at. */
function read(environment: Environment | undefined) {
  const sources = environment ? givenEnvironment(environment) : systemSources();
  const { found, problems: nameProblems } = find(sources);
  const valueProblems = problemsOf(schema.safeParse(textsOf(found)).error, found);
  const wrong = new Set([...nameProblems, ...valueProblems].map(({ name }) => name.replace(/_FILE$/, '')));

  const usable = new Map([...found].filter(([name]) => !wrong.has(name)));
  const alone = schema.parse(textsOf(usable));
  const defaults = dependentDefaults(alone, (name) => usable.has(name));
  const settings = withDefaults(alone, defaults);

  const together = contradictions(settings).filter(({ name }) => !wrong.has(name));
  return { found, defaults, settings, wrong, problems: [...nameProblems, ...valueProblems, ...together] };
}

function textsOf(found: ReadonlyMap<SettingName, Found>): Record<string, string> {
  return Object.fromEntries([...found].map(([name, { text }]) => [name, text]));
}

/** The message of an issue is what was expected; what was found is shown unless it is a secret. */
function problemsOf(error: z.ZodError | undefined, found: ReadonlyMap<SettingName, Found>): Problem[] {
  return (error?.issues ?? []).map((issue) => {
    const name = settingNames.find((known) => known === issue.path[0]);
    if (!name) throw new Error(`A problem without a setting: ${issue.message}`);
    const text = found.get(name)?.text ?? '';
    const shown = aboutSetting(name).secret ? 'what it holds' : JSON.stringify(text);
    return { name, problem: `cannot be ${shown}`, expected: issue.message };
  });
}
