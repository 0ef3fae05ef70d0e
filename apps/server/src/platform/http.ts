import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Endpoint, Input } from '@calculaud/contract/endpoint';
import { type Addresses, assertAllowedHost, baseUrlOf } from './base-url.ts';
import { calendarDay, type Principal, type RequestContext } from './context.ts';
import { etagOf, parseIfMatch } from './etag.ts';
import { Problem } from './problem.ts';
import { parseInput } from './validation.ts';

/** What a handler answers with; the status and the type come from the endpoint. */
export type Answer =
  | {
      /** Finished, as text or as its bytes. */
      readonly json: string | Buffer;
      readonly version?: number;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly value: unknown; readonly status?: number; readonly headers?: Readonly<Record<string, string>> }
  | {
      readonly stream: Readable;
      readonly status?: number;
      readonly headers: Readonly<Record<string, string>>;
    }
  | undefined;

export type Handler<E extends Endpoint> = (
  input: Input<E>,
  context: RequestContext,
  request: FastifyRequest,
) => Promise<Answer>;

export interface HttpOptions {
  readonly prefix: string;
  readonly addresses: Addresses;
  readonly timeZone: string;
  /** Finds out who sends the request; throws a Problem 401 when nobody known does. */
  readonly authenticate: (request: FastifyRequest) => Promise<Principal>;
}

const nobody: Principal = { id: 0, name: 'nobody', permits: () => false };

/** Binds endpoints of the contract to their handlers, and remembers them for the API document. */
export class Router {
  readonly endpoints: Endpoint[] = [];
  readonly #app: FastifyInstance;
  readonly #options: HttpOptions;
  readonly #principals = new WeakMap<FastifyRequest, Principal>();

  constructor(app: FastifyInstance, options: HttpOptions) {
    this.#app = app;
    this.#options = options;
  }

  handle<E extends Endpoint>(endpoint: E, handler: Handler<E>): void {
    this.endpoints.push(endpoint);
    this.#app.route({
      method: endpoint.method,
      url: this.url(endpoint),
      exposeHeadRoute: false,
      config: { transfer: isTransfer(endpoint) },
      onRequest: async (request) => this.#authorise(endpoint, request),
      handler: async (request, reply) => {
        const input = parseInput(endpoint, request);
        const answer = await handler(input, this.#contextOf(request, reply), request);
        return send(endpoint, reply, answer);
      },
    });
  }

  /** The path as Fastify matches it, with the API prefix. */
  url(endpoint: Endpoint): string {
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1');
    return endpoint.atRoot ? path : `${this.#options.prefix}${path}`;
  }

  /** Before the body is read: who is it, and may he. */
  async #authorise(endpoint: Endpoint, request: FastifyRequest): Promise<void> {
    if (endpoint.permission === 'public') {
      return;
    }
    assertAllowedHost(this.#options.addresses, request);
    const principal = await this.#options.authenticate(request);
    if (!principal.permits(endpoint.permission)) {
      throw new Problem(
        'forbidden',
        403,
        `This needs the permission ${endpoint.permission}, which you do not have`,
      );
    }
    this.#principals.set(request, principal);
  }

  /** What few handlers ask for is found out when they do: a clock in a time zone, an eye on the connection. */
  #contextOf(request: FastifyRequest, reply: FastifyReply): RequestContext {
    const { addresses, timeZone } = this.#options;
    let today: string | undefined;
    let signal: AbortSignal | undefined;
    return {
      principal: this.#principals.get(request) ?? nobody,
      requestId: request.id,
      get today() {
        today ??= calendarDay(new Date(), timeZone);
        return today;
      },
      baseUrl: baseUrlOf(addresses, request),
      ifMatch: parseIfMatch(request.headers['if-match']),
      log: request.log,
      get signal() {
        signal ??= untilGone(request, reply);
        return signal;
      },
    };
  }
}

function untilGone(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  // A client may have left before we got here; the event does not come twice.
  if (reply.raw.destroyed || request.raw.socket.destroyed) {
    gone.abort();
  }
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) {
      gone.abort();
    }
  });
  return gone.signal;
}

function isTransfer({ bodyType, success }: Endpoint): boolean {
  return bodyType === 'multipart' || success.mediaType !== undefined;
}

function send(endpoint: Endpoint, reply: FastifyReply, answer: Answer): FastifyReply {
  const { success } = endpoint;
  void reply.status(success.status);
  if (answer === undefined) {
    return reply.send();
  }
  if ('stream' in answer) {
    if (reply.raw.destroyed) {
      answer.stream.destroy();
    }
    return reply
      .status(answer.status ?? success.status)
      .type(success.mediaType ?? 'application/octet-stream')
      .headers(answer.headers)
      .send(answer.stream);
  }
  if ('json' in answer) {
    if (answer.version !== undefined) {
      void reply.header('etag', etagOf(answer.version));
    }
    return (
      reply
        .status(answer.status ?? success.status)
        .headers(answer.headers ?? {})
        .type('application/json')
        // Encoded once: a text would be encoded to be measured, and again to be sent (0.9 ms for a page of 515 kB).
        .send(typeof answer.json === 'string' ? Buffer.from(answer.json) : answer.json)
    );
  }
  // Parsed by the endpoint's own schema, so that nothing undeclared leaves.
  const body = success.body ? success.body.parse(answer.value) : answer.value;
  return reply
    .status(answer.status ?? success.status)
    .headers(answer.headers ?? {})
    .type('application/json')
    .send(JSON.stringify(body));
}
