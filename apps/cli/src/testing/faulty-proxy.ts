import { once } from 'node:events';
import { createServer, type IncomingMessage, request as send, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { listenOnLoopback } from './loopback.ts';

export interface PassingRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What is done to a request on its way; undefined: it passes. */
export type Fault =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'reset' }
  /** It is carried out, but nobody is told. */
  | { readonly kind: 'lose the answer' }
  /** It is carried out so many times. */
  | { readonly kind: 'repeat' }
  | { readonly kind: 'delay'; readonly ms: number };

export interface FaultyProxy {
  readonly url: string;
  /** Changed at will while it runs. */
  fault: (request: PassingRequest) => Fault | undefined;
  close(): Promise<void>;
}

/** Stands before a real server and does to its requests what networks and broken versions do. */
export async function startFaultyProxy(upstream: string): Promise<FaultyProxy> {
  const server = createServer((incoming, outgoing) => {
    void handle(incoming, outgoing);
  });
  const port = await listenOnLoopback(server);

  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const passing: PassingRequest = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      headers: Object.fromEntries(
        Object.entries(incoming.headers).flatMap(([name, value]) =>
          typeof value === 'string' ? [[name, value]] : [],
        ),
      ),
    };
    const fault = proxy.fault(passing);
    const body = Buffer.concat(await incoming.toArray());
    if (fault?.kind === 'reset') return void outgoing.socket?.resetAndDestroy();
    if (fault?.kind === 'answer') return void outgoing.writeHead(fault.status).end(fault.body);
    if (fault?.kind === 'delay') await pause(fault.ms);
    const { 'idempotency-key': key, ...others } = passing.headers;
    if (fault?.kind === 'repeat') await forward({ ...passing, headers: others }, body);
    const headers = key === undefined || fault?.kind === 'repeat' ? others : passing.headers;
    const answer = await forward({ ...passing, headers }, body);
    if (fault?.kind === 'lose the answer') return void outgoing.socket?.resetAndDestroy();
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  };

  const forward = async ({ method, path, headers }: PassingRequest, body: Buffer) => {
    const request = send(`${upstream}${path}`, { method, headers, agent: false });
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject).end(body);
    });
    return {
      status: answer.statusCode ?? 0,
      headers: answer.headers,
      body: Buffer.concat(await answer.toArray()),
    };
  };

  const proxy: FaultyProxy = {
    url: `http://127.0.0.1:${port}`,
    fault: () => undefined,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
