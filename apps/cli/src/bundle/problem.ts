/** One thing that is wrong with a bundle. */
export interface BundleProblem {
  /** Of the bundle; null where it is about the bundle as a whole. */
  readonly file: string | null;
  readonly problem: string;
}

export function describeBundleProblem({ file, problem }: BundleProblem): string {
  return file === null ? `the bundle ${problem}` : `${file} ${problem}`;
}

/** What was read is no bundle that may be used. */
export class UnfitBundle extends Error {
  override readonly name = 'UnfitBundle';
  readonly problems: readonly BundleProblem[];

  constructor(problems: readonly BundleProblem[]) {
    super(problems.map(describeBundleProblem).join('\n'));
    this.problems = problems;
  }
}
