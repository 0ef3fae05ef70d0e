import type { HttpRequest } from '../host/http-message.ts';
import { markOf, rareWord } from './marks.ts';

/** A request as the prober sends it. */
export interface Probe {
  readonly kind: string;
  readonly request: Omit<HttpRequest, 'timeoutMs' | 'body'> & { readonly body?: string };
  readonly expected: number;
  /** A write, by its number; it is looked for at the end. */
  readonly write?: number;
}

/** How people use the system, about: of twenty requests so many are of each kind. */
const MIX = [
  'get',
  'list',
  'search',
  'get',
  'suppliers',
  'get',
  'create',
  'list',
  'search',
  'get',
  'tree',
  'list',
  'get',
  'change',
  'search',
  'get',
  'create',
  'list',
  'suppliers',
  'get',
] as const;
export type Kind = (typeof MIX)[number];

/** Of ten connections so many are kept, opened for one request, or HTTP/2. */
const CONNECTIONS = [
  'keep-alive',
  'keep-alive',
  'keep-alive',
  'new',
  'keep-alive',
  'keep-alive',
  'h2',
  'keep-alive',
  'new',
  'keep-alive',
] as const;

/** The same requests in the same order in every run; only the mark differs. */
export class Traffic {
  readonly #prefix: string;
  readonly #token: string;
  readonly #run: string;
  /** Purposes of the prober's own, to look at and to change. */
  readonly #own: readonly number[];
  #kinds = 0;
  #connections = 0;
  #writes: number;

  constructor(given: { prefix: string; token: string; run: string; own: readonly number[]; writes: number }) {
    this.#prefix = given.prefix;
    this.#token = given.token;
    this.#run = given.run;
    this.#own = given.own;
    this.#writes = given.writes;
  }

  nextKind(): Kind {
    const kind = MIX[this.#kinds % MIX.length] ?? 'get';
    this.#kinds += 1;
    return kind;
  }

  /** `http2`: the target speaks it. */
  nextConnection(http2: boolean): NonNullable<HttpRequest['connection']> {
    // Not in step with the kinds: each of them meets each kind of connection.
    this.#connections += this.#connections % 11 === 10 ? 2 : 1;
    const connection = CONNECTIONS[this.#connections % CONNECTIONS.length] ?? 'keep-alive';
    return connection === 'h2' && !http2 ? 'new' : connection;
  }

  probe(kind: Kind): Probe {
    const own = this.#own[this.#kinds % Math.max(1, this.#own.length)] ?? 0;
    switch (kind) {
      case 'list':
        return this.#read(kind, '/purposes/?limit=20');
      case 'search':
        return this.#read(kind, `/purposes/summaries?limit=20&search=${rareWord(this.#run)}`);
      case 'get':
        return this.#read(kind, `/purposes/${own}`);
      case 'suppliers':
        return this.#read(kind, '/suppliers/?limit=50');
      case 'tree':
        return this.#read(kind, '/hierarchies/tree');
      case 'change':
        return this.#change(own);
      case 'create':
        this.#writes += 1;
        return createPurpose(this.#writes, { prefix: this.#prefix, token: this.#token, run: this.#run });
      default:
        return kind satisfies never;
    }
  }

  #read(kind: Kind, path: string): Probe {
    const headers = { authorization: `Bearer ${this.#token}` };
    return { kind, request: { method: 'GET', path: `${this.#prefix}${path}`, headers }, expected: 200 };
  }

  #change(id: number): Probe {
    const body = JSON.stringify({ comments: `${rareWord(this.#run)}: checked ${this.#kinds} times` });
    const headers = { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' };
    return {
      kind: 'change',
      request: { method: 'PATCH', path: `${this.#prefix}/purposes/${id}`, headers, body },
      expected: 200,
    };
  }
}

/** With its key, so that it is carried out once, however often it is sent. */
export function createPurpose(
  write: number,
  {
    prefix,
    token,
    run,
    comments = null,
  }: { prefix: string; token: string; run: string; comments?: string | null },
): Probe {
  return {
    kind: 'create',
    request: {
      method: 'POST',
      path: `${prefix}/purposes/`,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': `probe-${run}-${write}`,
      },
      body: JSON.stringify({ description: markOf('probe', run, ` #${write}`), comments }),
    },
    expected: 201,
    write,
  };
}
