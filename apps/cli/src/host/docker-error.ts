/** What an engine was asked and what came instead of an answer. */
export class DockerError extends Error {
  override readonly name = 'DockerError';
  /** Such as `POST /configs/create`. */
  readonly request: string;
  /** Undefined when no answer came at all. */
  readonly status: number | undefined;
  /** What the engine said, or why nothing was heard of it. */
  readonly answer: string;

  constructor(
    host: string,
    request: string,
    status: number | undefined,
    answer: string,
    options?: ErrorOptions,
  ) {
    const said = status === undefined ? 'got no answer' : `was answered with ${status}`;
    super(`${request} to the Docker engine at ${host} ${said}: ${answer || '(nothing)'}`, options);
    this.request = request;
    this.status = status;
    this.answer = answer;
  }
}

/** No manager leads for some seconds when one was lost or a new one joins. Whether the write was done is not known. */
const leaderless =
  /does not have a leader|node lost leader status|has no elected primary|code = (?:DeadlineExceeded|Unavailable)|context deadline exceeded/i;

export function isLeaderless(error: unknown): boolean {
  return error instanceof DockerError && error.status !== undefined && leaderless.test(error.answer);
}

/** It may work in a moment, and nobody knows whether it was done: there was no answer, or no leader. */
export function isUncertain(error: unknown): boolean {
  return error instanceof DockerError && (error.status === undefined || isLeaderless(error));
}

/** A write named a version that is no longer the last one: somebody else wrote in between. */
export function isOutOfSequence(error: unknown): boolean {
  return error instanceof DockerError && /update out of sequence/.test(error.answer);
}
