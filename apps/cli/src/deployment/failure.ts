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
