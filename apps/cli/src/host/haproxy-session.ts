import type { Readable, Writable } from 'node:stream';

/** A program that runs inside the gateway's container; `docker exec -i` gives one. */
export interface OpenProgram {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** How it ended; never rejects. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly lastLines: readonly string[] }>;
  readonly stop: () => Promise<void>;
}

/** HAProxy did not do what it was told, or does not answer. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
}

/** HAProxy writes it after every answer, once `prompt` was said. */
const PROMPT = /(?:^|\n)> $/;

/**
 * One long conversation with HAProxy's runtime API: a command, its answer, the next command. Whoever asks at the same
 * time waits. A conversation that broke is begun anew, once, for the command that was under way: all of them may be said
 * twice.
 */
export class HaproxySession {
  readonly #start: () => OpenProgram;
  readonly #timeoutMs: number;
  #conversation: Conversation | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(start: () => OpenProgram, timeoutMs: number) {
    this.#start = start;
    this.#timeoutMs = timeoutMs;
  }

  /** The answer, without the empty line at its end. */
  async ask(command: string): Promise<string> {
    if (/[\n;]/.test(command)) throw new Error(`"${command}" is not one command`);
    const answer = this.#last.then(() => this.#attempt(command));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** HAProxy hangs on to a process that still talks; the next question begins another conversation. */
  async close(): Promise<void> {
    await this.#last;
    await this.#hangUp();
  }

  async #attempt(command: string): Promise<string> {
    const known = this.#conversation;
    if (known) {
      try {
        return await known.ask(command, this.#timeoutMs);
      } catch (error) {
        await this.#hangUp();
        // It broke off, perhaps long ago. One that is only slow would be slow again.
        if (error instanceof GatewayTimeOut) throw error;
      }
    }
    const conversation = new Conversation(this.#start());
    this.#conversation = conversation;
    try {
      // Before it can answer, a program has to be started in the container.
      await conversation.ask('prompt', 4 * this.#timeoutMs);
      return await conversation.ask(command, this.#timeoutMs);
    } catch (error) {
      await this.#hangUp();
      throw error;
    }
  }

  async #hangUp(): Promise<void> {
    const conversation = this.#conversation;
    this.#conversation = undefined;
    await conversation?.end();
  }
}

class GatewayTimeOut extends GatewayError {}

class Conversation {
  readonly #program: OpenProgram;
  #text = '';
  #waiting:
    | { readonly resolve: (answer: string) => void; readonly reject: (error: Error) => void }
    | undefined;
  #ended: GatewayError | undefined;

  constructor(program: OpenProgram) {
    this.#program = program;
    program.stdout.setEncoding('utf8');
    program.stdout.on('data', (chunk: string) => this.#hear(chunk));
    program.stdout.on('error', () => undefined);
    program.stdin.on('error', () => undefined);
    void program.ended.then(({ exitCode, lastLines }) => {
      const how = lastLines.length > 0 ? lastLines.join('\n') : `it ended with ${exitCode}`;
      this.#ended = new GatewayError(`The conversation with HAProxy broke off: ${how}`);
      this.#waiting?.reject(this.#ended);
    });
  }

  async ask(command: string, timeoutMs: number): Promise<string> {
    if (this.#ended) throw this.#ended;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        timer = setTimeout(() => {
          reject(new GatewayTimeOut(`HAProxy did not answer "${command}" within ${timeoutMs} ms`));
        }, timeoutMs);
        this.#program.stdin.write(`${command}\n`);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  async end(): Promise<void> {
    this.#program.stdin.end();
    await this.#program.stop();
  }

  #hear(chunk: string): void {
    this.#text += chunk;
    if (!PROMPT.test(this.#text)) return;
    const answer = this.#text.replace(PROMPT, '').trimEnd();
    this.#text = '';
    this.#waiting?.resolve(answer);
  }
}
