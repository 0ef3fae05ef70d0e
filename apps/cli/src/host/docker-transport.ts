import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { DockerError, isLeaderless } from './docker-error.ts';

export interface EngineRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests to one engine. */
export interface DockerTransport {
  /** The text of a successful answer; every other one is a DockerError. */
  readonly send: (request: EngineRequest) => Promise<string>;
  /** The pieces of an answer that goes on. */
  readonly stream: (request: EngineRequest) => AsyncGenerator<Buffer>;
  readonly close: () => void;
}

interface Options {
  /** Where the engine listens; a socket of this machine or a port of it. */
  readonly listensAt: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  /** As errors call it. */
  readonly name: string;
  /** Why nothing was heard, where somebody in between knows more. */
  readonly complaint?: () => string | undefined;
  readonly timeoutMs?: number;
}

/** More than an engine takes (20 s) to say by itself that it had no leader. */
const TIMEOUT = 25_000;
/** How long a cluster may be without a leader before an operator is told. */
const PATIENCE = 30_000;
const PAUSE = 500;
/** A list of all archives of a ledger is the longest answer that is expected. */
const LARGEST_ANSWER = 64 * 1024 * 1024;
const LONGEST_COMPLAINT = 2000;

export function dockerTransport({
  listensAt,
  name,
  complaint,
  timeoutMs = TIMEOUT,
}: Options): DockerTransport {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  // An endless answer would keep one of those to itself.
  const streamAgent = new Agent();

  const failure = (
    asked: EngineRequest,
    status: number | undefined,
    answer: string,
    cause?: unknown,
  ): DockerError =>
    new DockerError(
      name,
      `${asked.method ?? 'GET'} ${asked.path}`,
      status,
      answer.trim().slice(0, LONGEST_COMPLAINT),
      { cause },
    );

  const open = async (asked: EngineRequest, using: Agent): Promise<IncomingMessage> => {
    asked.signal?.throwIfAborted();
    const body = asked.body === undefined ? undefined : Buffer.from(JSON.stringify(asked.body));
    return new Promise((resolve, reject) => {
      const outgoing = request({
        ...listensAt,
        agent: using,
        method: asked.method ?? 'GET',
        path: asked.path + queryOf(asked.query),
        // A name that Go's server accepts; the path of a socket is none.
        headers: {
          host: 'docker',
          ...(body && { 'content-type': 'application/json', 'content-length': body.length }),
        },
        ...(asked.signal && { signal: asked.signal }),
      });
      const timer = setTimeout(() => {
        outgoing.destroy(new Error(`nothing came within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      outgoing
        .on('response', (response) => {
          clearTimeout(timer);
          resolve(response);
        })
        .on('error', (error) => {
          clearTimeout(timer);
          reject(
            asked.signal?.aborted ? error : failure(asked, undefined, complaint?.() ?? error.message, error),
          );
        })
        .end(body);
    });
  };

  const read = async (asked: EngineRequest, response: IncomingMessage): Promise<string> => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => {
      response.destroy(new Error(`the answer was not complete within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    try {
      for await (const chunk of response) {
        if (!Buffer.isBuffer(chunk)) continue;
        length += chunk.length;
        if (length > LARGEST_ANSWER) throw new Error(`the answer is longer than ${LARGEST_ANSWER} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      if (asked.signal?.aborted) throw error;
      throw failure(asked, undefined, error instanceof Error ? error.message : String(error), error);
    } finally {
      clearTimeout(timer);
    }
    return Buffer.concat(chunks).toString('utf8');
  };

  const accept = async (asked: EngineRequest, response: IncomingMessage): Promise<void> => {
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return;
    throw failure(asked, status, messageOf(await read(asked, response)));
  };

  const once = async (asked: EngineRequest): Promise<string> => {
    const response = await open(asked, agent);
    await accept(asked, response);
    return read(asked, response);
  };

  return {
    send: async (asked) => {
      const until = performance.now() + PATIENCE;
      for (;;) {
        try {
          return await once(asked);
        } catch (error) {
          if (!isLeaderless(error) || performance.now() + PAUSE > until) throw error;
          await sleep(PAUSE, undefined, asked.signal ? { signal: asked.signal } : {});
        }
      }
    },
    stream: async function* (asked) {
      const response = await open(asked, streamAgent);
      await accept(asked, response);
      try {
        for await (const chunk of response) if (Buffer.isBuffer(chunk)) yield chunk;
      } catch (error) {
        if (asked.signal?.aborted) return;
        throw failure(asked, undefined, error instanceof Error ? error.message : String(error), error);
      } finally {
        response.destroy();
      }
    },
    close: () => {
      agent.destroy();
      streamAgent.destroy();
    },
  };
}

function queryOf(query: EngineRequest['query'] = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

/** Engines explain themselves in JSON; proxies in front of them in whatever they like. */
function messageOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message);
  } catch {
    // Not JSON: it speaks for itself.
  }
  return body;
}
