import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ClientTls } from './client-tls.ts';
import { addressOf } from './http-address.ts';
import { TimeOut } from './http-failure.ts';
import type { HttpAnswer, HttpRequest } from './http-message.ts';

type Received = Pick<HttpAnswer, 'status' | 'headers' | 'body'>;

/** The server has not looked at the request: it was about to end the connection. */
class Refused extends Error {}

/** Requests over one HTTP/2 connection. When the server announces its end, the next request opens another. */
export class Http2Client {
  readonly #url: URL;
  readonly #connect: string | undefined;
  readonly #tls: ClientTls | undefined;
  #session: ClientHttp2Session | undefined;

  constructor(url: URL, connectTo: string | undefined, tls: ClientTls | undefined) {
    this.#url = url;
    this.#connect = connectTo;
    this.#tls = tls;
  }

  /** A request that the server says it has not looked at goes once more, over another connection, as browsers do it. */
  async send(request: HttpRequest): Promise<Received> {
    try {
      return await this.#exchange(request);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#session?.close();
      this.#session = undefined;
      return this.#exchange(request);
    }
  }

  async #exchange({ method, path, headers, body, timeoutMs }: HttpRequest): Promise<Received> {
    if (body !== undefined && typeof body !== 'string') throw new Error('HTTP/2 carries small bodies only');
    const stream = this.#open().request({ ':method': method, ':path': path, ...headers });
    stream.setTimeout(timeoutMs, () => stream.destroy(new TimeOut(timeoutMs)));
    const chunks: Buffer[] = [];
    return new Promise((resolve, reject) => {
      let status = 0;
      let answered: HttpAnswer['headers'] = {};
      stream.once('response', (received) => {
        status = received[':status'] ?? 0;
        answered = received;
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('end', () => {
        if (status > 0) resolve({ status, headers: answered, body: Buffer.concat(chunks).toString() });
      });
      const refused = () => stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
      stream.once('error', (error: Error) => reject(refused() ? new Refused() : error));
      stream.once('close', () =>
        reject(refused() ? new Refused() : new Error(`the stream was closed with code ${stream.rstCode}`)),
      );
      stream.end(body);
    });
  }

  close(): void {
    this.#session?.destroy();
  }

  #open(): ClientHttp2Session {
    const open = this.#session;
    if (open && !open.closed && !open.destroyed) return open;
    const address = addressOf(this.#connect ?? this.#url.host, this.#tls ? 443 : 80);
    const session = connect(this.#url, {
      createConnection: () =>
        this.#tls ? connectTls({ ...address, ...this.#tls, ALPNProtocols: ['h2'] }) : connectTcp(address),
    });
    // Each of its requests fails by itself and tells why.
    session.on('error', () => undefined);
    // What is under way there is finished; new requests go elsewhere.
    session.once('goaway', () => session.close());
    this.#session = session;
    return session;
  }
}
