import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Moves a file or an export: may last much longer than a request of the everyday kind. */
    readonly transfer?: boolean;
  }
}

interface Connection {
  readonly since: number;
  readonly requests: Set<IncomingMessage>;
  /** What had been read when it last came to rest; more than that is the beginning of another request. */
  bytesAtRest: number;
}

/** A connection that was opened and says nothing: browsers keep such ones in store. */
const SILENT_MS = 1000;

/** What each connection of a server is doing, so that a stop ends it when it may be ended, and not before. */
export class Connections {
  readonly #open = new Map<Socket, Connection>();
  readonly #transfers = new WeakSet<IncomingMessage>();

  /** Before the server listens. */
  constructor(app: FastifyInstance) {
    app.server.on('connection', (socket: Socket) => {
      this.#open.set(socket, { since: performance.now(), requests: new Set(), bytesAtRest: 0 });
      socket.once('close', () => this.#open.delete(socket));
    });
    app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      const connection = this.#open.get(socket);
      connection?.requests.add(request);
      response.once('close', () => {
        connection?.requests.delete(request);
        if (connection) connection.bytesAtRest = socket.bytesRead;
      });
    });
    app.addHook('onRequest', async (request) => {
      if (request.routeOptions.config.transfer === true) this.#transfers.add(request.raw);
    });
  }

  /** Ends those on which nothing is under way and nothing comes. */
  endIdle(): void {
    const now = performance.now();
    for (const [socket, { since, requests, bytesAtRest }] of this.#open) {
      const silent = bytesAtRest > 0 || now - since > SILENT_MS;
      if (requests.size === 0 && socket.bytesRead === bytesAtRest && silent) socket.destroy();
    }
  }

  /** Cuts off whatever is no transfer. */
  endOrdinary(): void {
    for (const [socket, { requests }] of this.#open) {
      if (![...requests].some((request) => this.#transfers.has(request))) socket.destroy();
    }
  }

  endAll(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }
}
