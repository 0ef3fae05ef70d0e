import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { InvalidInput } from './validation.ts';

/** One part of a multipart/form-data body (RFC 7578), read while it arrives. */
export interface Part {
  readonly name: string;
  /** Undefined: not a file. */
  readonly filename: string | undefined;
  readonly contentType: string | undefined;
  /** What is not read of it is skipped when the next part is asked for. */
  readonly content: AsyncIterable<Buffer>;
}

const MAX_HEADER_BYTES = 8192;
const MAX_HEADERS = 20;
const MAX_PARTS = 100;
const REST_MS = 30_000;

/** Leaves the body of an upload where it is: `readParts` takes it from the connection. */
export function acceptMultipart(app: FastifyInstance): void {
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null));
}

/**
 * The parts of the request's body. Nothing but the piece that just arrived is held in memory, and nothing is read
 * before it is asked for. A body that is cut short or malformed is refused when that shows.
 */
export async function* readParts(request: FastifyRequest): AsyncGenerator<Part, void, void> {
  const boundary = boundaryOf(request.headers['content-type'] ?? '');
  if (boundary === undefined) throw malformed('Missing boundary of the multipart form');
  const body = new BodyReader(request.raw);
  try {
    yield* partsOf(body, Buffer.from(`\r\n--${boundary}`));
  } finally {
    await body.release();
  }
}

async function* partsOf(body: BodyReader, delimiter: Buffer): AsyncGenerator<Part, void, void> {
  // The first delimiter has no line break before it when there is no preamble.
  body.prepend(Buffer.from('\r\n'));
  await drain(body.until(delimiter));
  for (let count = 0; !(await atEnd(body)); count += 1) {
    if (count === MAX_PARTS) throw malformed(`The form has more than ${MAX_PARTS} parts`);
    const headers = await readHeaders(body);
    const disposition = parseParameters(headers.get('content-disposition') ?? '');
    let passed = false;
    const content = (async function* () {
      yield* body.until(delimiter);
      passed = true;
    })();
    yield {
      name: disposition.get('name') ?? '',
      filename: disposition.get('filename*') ?? disposition.get('filename'),
      contentType: headers.get('content-type') || undefined,
      content,
    };
    if (!passed) await drain(body.until(delimiter));
  }
}

/** After a delimiter: two dashes end the form, and only blanks may stand before the line break of another part. */
async function atEnd(body: BodyReader): Promise<boolean> {
  if ((await body.peek(2)) === '--') return true;
  if (!/^[ \t]*$/.test((await body.line()).toString('latin1'))) {
    throw malformed('A part does not begin with a line break');
  }
  return false;
}

async function readHeaders(body: BodyReader): Promise<Map<string, string>> {
  const headers = new Map<string, string>();
  for (;;) {
    const line = decodeText(await body.line());
    if (line === '') return headers;
    const colon = line.indexOf(':');
    if (colon < 1 || headers.size === MAX_HEADERS) throw malformed('The headers of a part cannot be read');
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
}

/** The bytes of the request, looked at through a window that holds little more than the last piece that arrived. */
class BodyReader {
  readonly #source: Readable;
  readonly #pieces: AsyncIterator<unknown, unknown>;
  #window: Buffer = Buffer.alloc(0);

  constructor(source: Readable) {
    this.#source = source;
    // The connection lives on when nobody reads any further: the answer still has to go through it.
    this.#pieces = source.iterator({ destroyOnReturn: false });
  }

  prepend(bytes: Buffer): void {
    this.#window = Buffer.concat([bytes, this.#window]);
  }

  /**
   * Lets the rest of the body pass by unread: many programs do not look at an answer before they have sent everything.
   * Whoever goes on for too long is cut off.
   */
  async release(): Promise<void> {
    await this.#pieces.return?.();
    if (this.#source.destroyed || this.#source.readableEnded) return;
    const cutOff = setTimeout(() => this.#source.destroy(), REST_MS).unref();
    this.#source.once('close', () => clearTimeout(cutOff));
    this.#source.resume();
  }

  /** Everything before the delimiter, which is consumed too: not before everything else was taken. */
  async *until(delimiter: Buffer): AsyncGenerator<Buffer, void, void> {
    for (;;) {
      const found = this.#window.indexOf(delimiter);
      if (found === 0) {
        this.#window = this.#window.subarray(delimiter.length);
        return;
      }
      // Without a hit, the last bytes may be the beginning of a delimiter that goes on in the next piece.
      const safe = found === -1 ? Math.max(0, this.#window.length - delimiter.length + 1) : found;
      const piece = this.#window.subarray(0, safe);
      this.#window = this.#window.subarray(safe);
      if (piece.length > 0) yield piece;
      if (found === -1) await this.#more();
    }
  }

  /** The line up to the next line break, which is consumed. */
  async line(): Promise<Buffer> {
    for (;;) {
      const found = this.#window.indexOf('\r\n');
      if (found > MAX_HEADER_BYTES || (found === -1 && this.#window.length > MAX_HEADER_BYTES)) {
        throw malformed('A header of a part is too long');
      }
      if (found !== -1) {
        const line = this.#window.subarray(0, found);
        this.#window = this.#window.subarray(found + 2);
        return line;
      }
      await this.#more();
    }
  }

  async peek(bytes: number): Promise<string> {
    while (this.#window.length < bytes) await this.#more();
    return this.#window.subarray(0, bytes).toString('latin1');
  }

  async #more(): Promise<void> {
    const piece = await this.#next();
    if (piece === undefined) throw malformed('The form ends before it is complete');
    this.#window = this.#window.length === 0 ? piece : Buffer.concat([this.#window, piece]);
  }

  async #next(): Promise<Buffer | undefined> {
    try {
      const { value } = await this.#pieces.next();
      return Buffer.isBuffer(value) ? value : undefined;
    } catch {
      // The connection broke: the sender has gone.
      return undefined;
    }
  }
}

async function drain(content: AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of content) void piece;
}

function boundaryOf(contentType: string): string | undefined {
  const boundary = parseParameters(contentType).get('boundary');
  return boundary !== undefined && boundary.length > 0 && boundary.length <= 70 ? boundary : undefined;
}

/** `form-data; name="file"; filename="a \"b\".pdf"` and `filename*=UTF-8''%d7%90.pdf` (RFC 2183, RFC 8187). */
function parseParameters(header: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [, name = '', quoted, plain] of header.matchAll(
    /;\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:\\[^]|[^"\\])*)"|([^\s;]*))/g,
  )) {
    const key = name.toLowerCase();
    const value = quoted === undefined ? (plain ?? '') : quoted.replaceAll(/\\(["\\])/g, '$1');
    if (!key.endsWith('*')) parameters.set(key, value);
    else if (/^utf-8'[^']*'/i.test(value)) setDecoded(parameters, key, value.replace(/^[^']*'[^']*'/, ''));
  }
  return parameters;
}

function setDecoded(parameters: Map<string, string>, key: string, encoded: string): void {
  try {
    parameters.set(key, decodeURIComponent(encoded));
  } catch {
    // Not what it says it is: the plain spelling beside it counts.
  }
}

/** Names are UTF-8; very old programs send Latin-1. */
function decodeText(bytes: Buffer): string {
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
}

function malformed(msg: string): InvalidInput {
  return new InvalidInput([{ type: 'multipart_invalid', loc: ['body', 'file'], msg, input: null }]);
}
