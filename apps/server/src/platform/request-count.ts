import type { Server } from 'node:http';

/** How much a process has done, and what it is doing. */
export class RequestCount {
  #answered = 0;
  #open = 0;

  /** Before the server listens. */
  watch(server: Server): void {
    server.on('request', (_request, response) => {
      this.#open += 1;
      response.once('close', () => {
        this.#open -= 1;
        this.#answered += 1;
      });
    });
  }

  get answered(): number {
    return this.#answered;
  }

  get open(): number {
    return this.#open;
  }
}
