import { Agent, type IncomingMessage, request as send } from 'node:http';

export interface Request {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly body?: string;
  /** The id in it that is another one in every request, so that statements with that id can be told. */
  readonly subject?: number;
}

/** Sends requests over connections that stay open, and only counts the bytes of the answers. */
export class Client {
  readonly #url: string;
  readonly #token: string;
  readonly #agent: Agent;

  constructor(url: string, token: string, connections: number) {
    this.#url = url;
    this.#token = token;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Resolves with the number of bytes of the answer's body. */
  async bytes(request: Request): Promise<number> {
    const answer = await this.answer(request);
    let bytes = 0;
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await ended(answer);
    return bytes;
  }

  async text(request: Request): Promise<string> {
    const answer = await this.answer(request);
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    await ended(answer);
    return Buffer.concat(chunks).toString();
  }

  /** The answer, its body not yet read. Anything but success throws. */
  async answer({ method, path, body }: Request): Promise<IncomingMessage> {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = send(`${this.#url}${path}`, {
        method,
        agent: this.#agent,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        },
      });
      outgoing.once('response', resolve).once('error', reject).end(body);
    });
    if (answer.statusCode !== 200 && answer.statusCode !== 201) {
      const text = Buffer.concat(await answer.toArray()).toString();
      throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text}`);
    }
    return answer;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** An answer that breaks off half-way is no success. */
export async function ended(answer: IncomingMessage): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    answer.once('end', resolve).once('error', reject);
  });
}
