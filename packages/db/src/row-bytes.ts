import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import pg from 'pg';

/**
 * Rows whose long values arrive as the bytes that the server sent, where pg would decode every value to a string. A page
 * of finished JSON (0.5 MB of Hebrew) goes out as it came in: decoding and encoding it again took 4 of the 5.4 ms that a
 * page cost the server.
 */

declare module 'pg' {
  interface Connection {
    /** Of pg itself, though not in its types: reads messages from the socket, plain or TLS, and emits each by its name. */
    attachListeners(stream: NodeJS.EventEmitter): void;
  }
}

/** PostgreSQL documentation, "Message Formats": a type, then the length, which counts itself and not the type. */
const HEADER = 5;
const DATA_ROW = 0x44;
/** Shorter values are strings at once: a view of the bytes costs more than the string. */
const SHORT = 1024;

/** A field of a row as it reaches the type parsers (`types.ts`). */
export type RawValue = string | Buffer;

export class RowBytesClient extends pg.Client {
  constructor(config: pg.ClientConfig = {}) {
    let received: ((bytes: Buffer) => void) | undefined;
    super({ ...config, stream: (wanted?: Wanted) => openSocket(wanted, (bytes) => received?.(bytes)) });
    const { connection } = this;
    const attachListeners = connection.attachListeners.bind(connection);
    connection.attachListeners = (stream) => {
      const others = new EventEmitter();
      attachListeners(others);
      const messages = new MessageSplitter(
        (row) => connection.emit('dataRow', row),
        (bytes) => others.emit('data', bytes),
      );
      received = (bytes) => messages.push(bytes);
      stream.on('data', received);
    };
  }
}

/** What pg tells about a connection before it opens its socket; its types know nothing of it. */
interface Wanted {
  readonly ssl?: unknown;
}

/**
 * Without TLS, what arrives is read into the same memory again and again and handed to `onBytes`, which has to copy what it
 * keeps; a page of 0.5 MB came in eight new buffers before. With TLS, bytes come as events.
 */
function openSocket(wanted: Wanted | undefined, onBytes: (bytes: Buffer) => void): Socket {
  if (wanted?.ssl) return new Socket();
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const options = {
    allowHalfOpen: false,
    onread: {
      buffer,
      callback: (length: number) => {
        onBytes(buffer.subarray(0, length));
        return true;
      },
    },
  };
  return new Socket(options);
}

/** As much as Node reads at a time. */
const READ_BYTES = 65_536;

/** As pg itself makes them of a row, but for the type of the fields. */
interface DataRow {
  readonly name: 'dataRow';
  readonly length: number;
  readonly fieldCount: number;
  readonly fields: readonly (RawValue | null)[];
}

/**
 * Takes rows out of the stream of messages; all others go on as they are, in their order. What is handed on lasts as long
 * as the call, but for the fields of rows.
 */
export class MessageSplitter {
  readonly #onRow: (row: DataRow) => void;
  readonly #onOthers: (bytes: Buffer) => void;
  /** The start of a message that is not complete: less than a header, or in all the room that it will need. */
  #begun: Buffer = Buffer.alloc(0);
  #filled = 0;

  constructor(onRow: (row: DataRow) => void, onOthers: (bytes: Buffer) => void) {
    this.#onRow = onRow;
    this.#onOthers = onOthers;
  }

  push(chunk: Buffer): void {
    if (this.#filled === 0) {
      this.#split(chunk, true);
    } else if (this.#begun.length < HEADER) {
      this.#filled = 0;
      this.#split(Buffer.concat([this.#begun, chunk]), false);
    } else {
      const copied = chunk.copy(this.#begun, this.#filled);
      this.#filled += copied;
      if (this.#filled < this.#begun.length) return;
      this.#filled = 0;
      this.#split(this.#begun, false);
      this.#split(chunk.subarray(copied), true);
    }
  }

  /** `borrowed`: the memory is written to again after this call. */
  #split(bytes: Buffer, borrowed: boolean): void {
    let position = 0;
    let others = 0;
    const passOthers = (end: number) => {
      if (end > others) this.#onOthers(bytes.subarray(others, end));
    };
    while (position + HEADER <= bytes.length) {
      const end = position + 1 + bytes.readUInt32BE(position + 1);
      if (end > bytes.length) break;
      if (bytes[position] === DATA_ROW) {
        passOthers(position);
        others = end;
        this.#onRow(readRow(bytes, position, borrowed));
      }
      position = end;
    }
    passOthers(position);
    if (position < bytes.length) this.#begin(bytes.subarray(position));
  }

  #begin(part: Buffer): void {
    this.#begun = Buffer.allocUnsafe(part.length < HEADER ? part.length : 1 + part.readUInt32BE(1));
    this.#filled = part.copy(this.#begun);
  }
}

function readRow(bytes: Buffer, start: number, borrowed: boolean): DataRow {
  const fieldCount = bytes.readUInt16BE(start + HEADER);
  const fields: (RawValue | null)[] = [];
  let position = start + HEADER + 2;
  for (let field = 0; field < fieldCount; field += 1) {
    const length = bytes.readInt32BE(position);
    position += 4;
    const end = position + Math.max(length, 0);
    if (length === -1) {
      fields.push(null);
    } else if (length < SHORT) {
      fields.push(bytes.toString('utf8', position, end));
    } else {
      const value = bytes.subarray(position, end);
      fields.push(borrowed ? Buffer.from(value) : value);
    }
    position = end;
  }
  return { name: 'dataRow', length: bytes.readUInt32BE(start + 1), fieldCount, fields };
}
