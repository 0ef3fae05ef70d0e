import { z } from 'zod';
import type { HttpAnswer, HttpOutcome, HttpRequest } from '../host/http-message.ts';
import type { StepFailure } from './journey-events.ts';

/** Sends a request somewhere; an HttpClient of `host/` does. */
export interface Sender {
  send(request: HttpRequest): Promise<HttpOutcome>;
}

export interface ApiOptions {
  readonly sender: Sender;
  /** Of the API, such as `/api/v1`. */
  readonly prefix: string;
  readonly token: string;
  /** Begins the request ids, by which the server's log is searched. */
  readonly run: string;
  readonly timeoutMs: number;
}

/** Something came that was not expected. */
export class UnexpectedAnswer extends Error {
  readonly failure: StepFailure;

  constructor(failure: StepFailure) {
    super(`${failure.request}: expected ${failure.expected}, came ${failure.came}`);
    this.failure = failure;
  }
}

type Call = Pick<HttpRequest, 'method' | 'path' | 'headers'> & {
  readonly json?: unknown;
  readonly body?: Buffer;
  /** Without a token, as a stranger. */
  readonly anonymous?: true;
  /** The path is the whole path, with the prefix. */
  readonly whole?: true;
};

const EXCERPT = 500;

/** The API as a client uses it that wants an exact answer, or to know exactly what came instead. */
export class Api {
  readonly #options: ApiOptions;
  #calls = 0;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** The answer has this status, or UnexpectedAnswer is thrown. */
  async expect(call: Call, ...statuses: readonly number[]): Promise<HttpAnswer> {
    const { sender, timeoutMs } = this.#options;
    const request = this.#requestOf(call);
    const outcome = await sender.send({ ...request, timeoutMs });
    const expected = `status ${statuses.join(' or ')}`;
    if (!outcome.answered) throw unexpected(request, expected, `${outcome.problem}: ${outcome.words}`, null);
    if (!statuses.includes(outcome.status)) {
      throw unexpected(request, expected, `status ${outcome.status}`, outcome);
    }
    return outcome;
  }

  /** The answer has this status and these members, or UnexpectedAnswer is thrown. */
  async read<T extends z.ZodType>(call: Call, status: number, shape: T): Promise<z.output<T>> {
    const answer = await this.expect(call, status);
    const parsed = shape.safeParse(jsonOf(answer.body));
    if (parsed.success) return parsed.data;
    const wrong = z.prettifyError(parsed.error).replaceAll('\n', ' ');
    throw unexpected(this.#requestOf(call), 'an answer of the known shape', wrong, answer);
  }

  /** What the answer says has to be so. */
  assure(holds: boolean, call: Call, expected: string, came: string): void {
    if (!holds) throw unexpected(this.#requestOf(call), expected, came, null);
  }

  #requestOf({
    method,
    path,
    headers = {},
    json,
    body,
    anonymous,
    whole,
  }: Call): Omit<HttpRequest, 'timeoutMs'> {
    const { prefix, token, run } = this.#options;
    this.#calls += 1;
    const sent = json === undefined ? body : JSON.stringify(json);
    return {
      method,
      path: whole ? path : `${prefix}${path}`,
      headers: {
        ...(anonymous ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        'x-request-id': `${run}-${this.#calls}`,
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent }),
    };
  }
}

function unexpected(
  { method, path }: Pick<HttpRequest, 'method' | 'path'>,
  expected: string,
  came: string,
  answer: HttpAnswer | null,
): UnexpectedAnswer {
  const id = answer?.headers['x-request-id'];
  return new UnexpectedAnswer({
    request: `${method} ${path}`,
    expected,
    came,
    status: answer?.status ?? null,
    body: answer ? answer.body.slice(0, EXCERPT) : null,
    request_id: typeof id === 'string' ? id : null,
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
