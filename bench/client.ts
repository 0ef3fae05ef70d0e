import { type Dispatcher, Pool } from 'undici';

export interface Request {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly body?: string;
  /** The id in it that is another one in every request, so that statements with that id can be told. */
  readonly subject?: number;
}

/**
 * Sends requests over connections that stay open, and only counts the bytes of the answers. It shares the processors with
 * what it measures, so it does little: a request costs it 0.1 ms, where Node's own client took 0.4.
 */
export class Client {
  readonly #token: string;
  readonly #pool: Pool;

  constructor(url: string, token: string, connections: number) {
    this.#token = token;
    this.#pool = new Pool(url, { connections, pipelining: 1, bodyTimeout: 0 });
  }

  /** Resolves with the number of bytes of the answer's body; an answer that breaks off half-way is no success. */
  async bytes(request: Request): Promise<number> {
    let bytes = 0;
    await this.read(request, (chunk) => {
      bytes += chunk.length;
    });
    return bytes;
  }

  async text(request: Request): Promise<string> {
    const chunks: Buffer[] = [];
    await this.read(request, (chunk) => chunks.push(chunk));
    return Buffer.concat(chunks).toString();
  }

  /** Hands on the body of the answer as it comes. Anything but success throws. */
  async read(request: Request, onBody: (chunk: Buffer) => void): Promise<void> {
    let status = 0;
    const refused: Buffer[] = [];
    await new Promise<void>((resolve, reject) => {
      this.#pool.dispatch(this.#options(request), {
        // Tells the library that this is a handler of the present kind.
        onRequestStart: () => undefined,
        onResponseStart: (_, statusCode) => {
          status = statusCode;
        },
        onResponseData: (_, chunk) => {
          if (isSuccess(status)) onBody(chunk);
          else refused.push(chunk);
        },
        onResponseEnd: () => {
          resolve();
        },
        onResponseError: (_, error) => {
          reject(error);
        },
      });
    });
    if (!isSuccess(status)) {
      throw unexpected(request, status, Buffer.concat(refused).toString());
    }
  }

  #options({ method, path, body }: Request): Dispatcher.DispatchOptions {
    return {
      method,
      path,
      body: body ?? null,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    };
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}

function isSuccess(status: number): boolean {
  return status === 200 || status === 201;
}

function unexpected({ method, path }: Request, status: number, body: string): Error {
  return new Error(`${method} ${path} answered ${status}: ${body}`);
}
