/** One thing that is wrong with the configuration; never holds a secret. */
export interface Problem {
  readonly name: string;
  readonly problem: string;
  readonly expected: string;
}

/** The configuration cannot be used; names everything that is wrong, so that it is put right in one go. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const lines = problems.map(
      ({ name, problem, expected }) => `  ${name} ${problem}; expected: ${expected}`,
    );
    super(`The configuration cannot be used:\n${lines.join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
