export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | SlowBody;
  /** `new`: a connection of its own, closed afterwards. `h2`: one HTTP/2 connection for all of them. */
  readonly connection?: 'keep-alive' | 'new' | 'h2';
  readonly timeoutMs: number;
  /** One of several servers behind the same name (`host:port`). */
  readonly instance?: string | undefined;
}

/** A body that takes its time. */
export interface SlowBody {
  readonly length: number;
  readonly chunks: AsyncIterable<Buffer>;
}

/** What came of a request. Failing is an outcome like any other: nothing is thrown. */
export type HttpOutcome = HttpAnswer | NoAnswer;

export interface HttpAnswer {
  readonly answered: true;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** To the last byte of the answer. */
  readonly ms: number;
}

export interface NoAnswer {
  readonly answered: false;
  readonly problem: 'refused' | 'reset' | 'time-out' | 'broken off' | 'unreachable';
  readonly words: string;
  readonly ms: number;
}
