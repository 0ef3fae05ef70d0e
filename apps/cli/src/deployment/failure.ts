/** A step did not come to its end: what was waited for, what came instead, and the last words of who failed. */
export class DeploymentFailure extends Error {
  override readonly name = 'DeploymentFailure';

  constructor({
    waitedFor,
    came,
    instance,
    lastLines = [],
  }: {
    readonly waitedFor: string;
    readonly came: string;
    readonly instance?: string | undefined;
    readonly lastLines?: readonly string[];
  }) {
    const log =
      lastLines.length > 0
        ? [`last lines of ${instance ?? 'its log'}:`, ...lastLines.map((line) => `  ${line}`)]
        : [];
    super([`Waited for ${waitedFor}; ${came}.`, ...log].join('\n'));
  }
}

/** How a program in a container ended, by what its docker client knows: whether it was the program, or the way to it. */
export function endInWords(exitCode: number | null, lastLines: readonly string[]): string {
  const lost =
    exitCode === CLIENT_FAILED && lastLines.some((line) => /EOF|connect|broken pipe|reset/i.test(line));
  if (lost) return 'the connection with its host broke off';
  return `it ended with ${exitCode ?? 'a signal'}`;
}

/** With which the docker client says that it was itself what failed. */
const CLIENT_FAILED = 125;
