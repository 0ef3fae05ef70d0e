import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import { withOfflineNames } from './offline.ts';
import { describeProblem } from './problem.ts';
import { type ReadEnvironment, readEnvironment } from './read.ts';
import type { EnvironmentConfig } from './schema.ts';

/** How commands are told which environment is meant. */
export interface EnvironmentChoice {
  /** `--file` */
  readonly file?: string | undefined;
  /** `--to` or `--environment`: its name, where its file has the usual one. */
  readonly name?: string | undefined;
}

/** `calculaud.yml` for the only environment, `calculaud.<name>.yml` beside each other for several. */
export function environmentFile({ file, name }: EnvironmentChoice): string {
  return file ?? (name === undefined ? 'calculaud.yml' : `calculaud.${name}.yml`);
}

export function readEnvironmentFile(choice: EnvironmentChoice): ReadEnvironment & { readonly file: string } {
  const file = environmentFile(choice);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'Name another file with --file, or write one: calculaud init',
      EXIT.refused,
      { cause: error },
    );
  }
  const read = readEnvironment(text);
  const { name } = choice;
  if (read.config === undefined || name === undefined || read.config.name === name) return { ...read, file };
  const problem = {
    line: undefined,
    path: 'name',
    problem: `is ${read.config.name}, but ${name} was asked for`,
    expected: name,
  };
  return { config: undefined, problems: [problem], notes: [], file };
}

/** The configuration of an environment; everything that is wrong with it ends the command (3). */
export function loadEnvironment(choice: EnvironmentChoice): EnvironmentConfig {
  const config = loadEnvironmentAsWritten(choice);
  return config.offline ? withOfflineNames(config) : config;
}

/** The same with images as the file calls them, for those who fetch them. */
export function loadEnvironmentAsWritten(choice: EnvironmentChoice): EnvironmentConfig {
  const { config, problems, file } = readEnvironmentFile(choice);
  if (config) return config;
  throw new CliError(
    `${basename(file)} cannot be used:\n${problems.map((problem) => `  ${describeProblem(file, problem)}`).join('\n')}`,
    `Look at it again with \`calculaud config check --file ${file}\`.`,
    EXIT.refused,
  );
}
