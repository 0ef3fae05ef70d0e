/** One thing that is wrong with a `calculaud.yml`, and where. */
export interface EnvironmentProblem {
  /** From 1; undefined where it is about the file as a whole. */
  readonly line: number | undefined;
  /** Such as `gateway.https`; empty for the file as a whole. */
  readonly path: string;
  readonly problem: string;
  readonly expected: string;
}

/** What a rule finds; the line is found by the path. */
export type Finding = Omit<EnvironmentProblem, 'line' | 'path'> & {
  readonly path: readonly (string | number)[];
};

export function describeProblem(file: string, { line, path, problem, expected }: EnvironmentProblem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return `${place}  ${path === '' ? '' : `${path} `}${problem}; expected: ${expected}`;
}
