import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request as sendPlain } from 'node:http';
import { Agent as TlsAgent, request as sendEncrypted } from 'node:https';
import { type ClientTls, clientTls } from './client-tls.ts';
import type { Http2Client } from './http2-client.ts';
import { addressOf } from './http-address.ts';
import { asError, BrokenOff, problemOf, TimeOut } from './http-failure.ts';
import type { HttpAnswer, HttpOutcome, HttpRequest } from './http-message.ts';

/** A server, and how to reach it where its name does not lead there. */
export interface HttpTarget {
  /** Scheme, host and port. */
  readonly url: string;
  /** Connect here (`host:port`) instead; the certificate and the Host header stay those of the URL. */
  readonly connect?: string | undefined;
  /** A file with the certificate authority to trust. */
  readonly ca?: string | undefined;
}

/**
 * An idle connection is given up well before the gateway gives it up (30 s): a request that is sent at that very moment meets
 * a closed connection, and nobody has failed (RFC 9112, 9.3.1). Once in 10,000 requests it did.
 */
const IDLE_MS = 15_000;
/** Longer answers are read to their end, but only their beginning is kept. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** Sends requests to one target and tells exactly what came, with the time it took. */
export class HttpClient {
  readonly #url: URL;
  readonly #connect: string | undefined;
  readonly #tls: ClientTls | undefined;
  readonly #keepAlive: Agent;
  #http2: Promise<Http2Client> | undefined;

  constructor({ url, connect, ca }: HttpTarget) {
    this.#url = new URL(url);
    this.#connect = connect;
    const encrypted = this.#url.protocol === 'https:';
    this.#tls = encrypted ? clientTls(this.#url.hostname, ca) : undefined;
    const pool = { keepAlive: true, timeout: IDLE_MS };
    this.#keepAlive = encrypted ? new TlsAgent(pool) : new Agent(pool);
  }

  async send(request: HttpRequest): Promise<HttpOutcome> {
    const begin = performance.now();
    const elapsed = () => performance.now() - begin;
    try {
      if (request.connection === 'h2') {
        const http2 = await this.#overHttp2();
        const answer = await http2.send(request);
        return { answered: true, ...answer, ms: elapsed() };
      }
      const answer = await this.#exchange(request);
      return { answered: true, ...answer, ms: elapsed() };
    } catch (error) {
      return { answered: false, ...problemOf(error), ms: elapsed() };
    }
  }

  async close(): Promise<void> {
    this.#keepAlive.destroy();
    (await this.#http2)?.close();
  }

  async #exchange(request: HttpRequest): Promise<Pick<HttpAnswer, 'status' | 'headers' | 'body'>> {
    const fresh = request.connection === 'new';
    const send = this.#tls ? sendEncrypted : sendPlain;
    const outgoing = send({
      ...this.#addressOf(request),
      ...this.#tls,
      method: request.method,
      path: request.path,
      headers: {
        host: this.#url.host,
        ...request.headers,
        ...lengthOf(request.body),
        ...(fresh ? { connection: 'close' } : {}),
      },
      // Without an agent the connection is opened for this request alone.
      agent: fresh ? false : this.#keepAlive,
    });
    let late: TimeOut | undefined;
    const deadline = setTimeout(() => {
      late = new TimeOut(request.timeoutMs);
      outgoing.destroy(late);
    }, request.timeoutMs);
    try {
      const answer = new Promise<IncomingMessage>((resolve, reject) => {
        outgoing.once('response', resolve).once('error', reject);
      });
      // Its failure shows in the answer that does not come.
      write(request.body, outgoing).catch((error: unknown) => outgoing.destroy(asError(error)));
      const incoming = await answer;
      const body = await readBody(incoming);
      return { status: incoming.statusCode ?? 0, headers: incoming.headers, body };
    } catch (error) {
      // An answer that was cut off at the deadline only says that it was.
      throw late ?? error;
    } finally {
      clearTimeout(deadline);
    }
  }

  #overHttp2(): Promise<Http2Client> {
    this.#http2 ??= import('./http2-client.ts').then(
      ({ Http2Client }) => new Http2Client(this.#url, this.#connect, this.#tls),
    );
    return this.#http2;
  }

  #addressOf({ instance }: HttpRequest): { host: string; port: number } {
    return addressOf(instance ?? this.#connect ?? this.#url.host, this.#tls ? 443 : 80);
  }
}

function lengthOf(body: HttpRequest['body']): OutgoingHttpHeaders {
  if (body === undefined) return {};
  if (typeof body === 'string') return { 'content-length': Buffer.byteLength(body) };
  return { 'content-length': body.length };
}

interface Writable {
  write(chunk: Buffer): boolean;
  end(chunk?: string | Buffer): unknown;
  readonly destroyed: boolean;
}

async function write(body: HttpRequest['body'], outgoing: Writable): Promise<void> {
  if (body === undefined) outgoing.end();
  else if (typeof body === 'string' || Buffer.isBuffer(body)) outgoing.end(body);
  else {
    for await (const chunk of body.chunks) {
      if (outgoing.destroyed) return;
      outgoing.write(chunk);
    }
    outgoing.end();
  }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const kept: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    incoming.on('data', (chunk: Buffer) => {
      if (bytes < KEPT_BYTES) kept.push(chunk);
      bytes += chunk.length;
    });
    incoming.once('end', resolve);
    incoming.once('error', (error) => {
      reject(
        error.message === 'aborted' ? new BrokenOff(`the answer broke off after ${bytes} bytes`) : error,
      );
    });
  });
  return Buffer.concat(kept).toString();
}
