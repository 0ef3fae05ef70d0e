import { connect, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { selfSignedCertificate } from '@calculaud/testing/self-signed';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from './database.ts';
import { MessageSplitter, type RawValue } from './row-bytes.ts';

let testDatabase: TestDatabase;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});
afterAll(() => testDatabase.drop());

function open(connectionString: string): Database {
  const db = openDatabase({
    connectionString,
    poolSize: 1,
    statementTimeoutMs: 5000,
    applicationName: 'calculaud test',
  });
  cleanUps.push(() => db.close());
  return db;
}

const HEBREW = 'שלום לכולם, ';

/** Values around every border: of short ones, of what is read at a time, of several reads. */
const lengths = [0, 1, 1023, 1024, 65_535, 65_536, 65_537, 1_000_000];

async function readAll(db: Database): Promise<void> {
  for (const length of lengths) {
    const { rows } = await sql<{ text: string; bytes: Buffer; none: null; n: number }>`
      select left(repeat(${HEBREW}, 100000), ${length}::integer) as text,
        textout(left(repeat(${HEBREW}, 100000), ${length}::integer)) as bytes, null::text as none, n
      from generate_series(1, 3) n`.execute(db);
    const expected = HEBREW.repeat(100_000).slice(0, length);
    expect(rows.map(({ n }) => n)).toEqual([1, 2, 3]);
    for (const { text, bytes, none } of rows) {
      expect(text === expected).toBe(true);
      expect(bytes.equals(Buffer.from(expected))).toBe(true);
      expect(none).toBeNull();
    }
  }
}

test('values of every length arrive, text as text and cstring as bytes', async () => {
  await readAll(open(testDatabase.url('app')));
});

test('bytes that were kept do not change when more are read', async () => {
  const db = open(testDatabase.url('app'));
  const read = async (letter: string) =>
    (await sql<{ bytes: Buffer }>`select textout(repeat(${letter}, 5000)) as bytes`.execute(db)).rows[0]
      ?.bytes;
  const first = await read('a');
  await read('b');
  expect(first?.toString()).toBe('a'.repeat(5000));
});

test('errors and notices of the server go on arriving', async () => {
  const db = open(testDatabase.url('app'));
  await expect(sql`select 1 / 0`.execute(db)).rejects.toMatchObject({ code: '22012' });
  await readAll(db);
});

test('over TLS everything arrives as well', async () => {
  const port = await tlsInFrontOf(testDatabase.url('app'));
  const url = new URL(testDatabase.url('app').replace(/@[^/]*\//, '@localhost/'));
  url.host = `localhost:${port}`;
  url.search = 'sslmode=no-verify';
  const db = open(url.href);
  await readAll(db);
  expect(tlsSockets.some((socket) => socket.encrypted)).toBe(true);
});

const tlsSockets: TLSSocket[] = [];

/** Speaks TLS as PostgreSQL does (SSLRequest, then a handshake) and hands everything on to the real server. */
async function tlsInFrontOf(connectionString: string): Promise<number> {
  const directory = new URL(connectionString).searchParams.get('host') ?? '';
  const postgresPort = new URL(connectionString).port || '5432';
  const { key, cert } = selfSignedCertificate();
  const server: Server = createServer((socket: Socket) => {
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, {
        isServer: true,
        secureContext: createSecureContext({ key, cert }),
      });
      tlsSockets.push(secure);
      const database = connect(`${directory}/.s.PGSQL.${postgresPort}`);
      secure.pipe(database).pipe(secure);
      secure.on('error', () => database.destroy());
      database.on('error', () => secure.destroy());
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  cleanUps.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
      }),
  );
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address');
  return address.port;
}

const ROW = 'D';

function message(type: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

function row(fields: readonly (string | null)[]): Buffer {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(fields.length);
  const parts = fields.flatMap((field) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(field === null ? -1 : Buffer.byteLength(field));
    return field === null ? [length] : [length, Buffer.from(field)];
  });
  return message(ROW, Buffer.concat([count, ...parts]));
}

const fields = fc.array(
  fc.option(
    fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant('ש'.repeat(800)), fc.constant('x'.repeat(3000))),
  ),
  { maxLength: 4 },
);
const others = fc
  .record({ type: fc.constantFrom('C', 'Z', 'T', '2'), body: fc.uint8Array({ maxLength: 40 }) })
  .map(({ type, body }) => message(type, Buffer.from(body)));

test('wherever the stream is cut, the rows and all other bytes come in their order', () => {
  const messages = fc.array(
    fc.oneof(
      fields.map((values) => ({ values, bytes: row(values) })),
      others.map((bytes) => ({ values: undefined, bytes })),
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), (sent, cuts) => {
      const seen: (string | readonly (RawValue | null)[])[] = [];
      const splitter = new MessageSplitter(
        ({ fields: values }) => seen.push(values),
        (bytes) => {
          // Pieces between two rows count as one.
          const last = seen.at(-1);
          const text = bytes.toString('latin1');
          if (typeof last === 'string') seen[seen.length - 1] = last + text;
          else seen.push(text);
        },
      );
      const stream = Buffer.concat(sent.map(({ bytes }) => bytes));
      const memory = Buffer.alloc(5000);
      for (let position = 0, cut = 0; position < stream.length; cut += 1) {
        // The same memory each time, as the socket does it.
        const length = stream.copy(memory, 0, position, position + (cuts[cut % cuts.length] ?? 1));
        splitter.push(memory.subarray(0, length));
        position += length;
      }
      const expected: (string | readonly (string | null)[])[] = [];
      for (const { values, bytes } of sent) {
        const last = expected.at(-1);
        if (values) expected.push(values);
        else if (typeof last === 'string') expected[expected.length - 1] = last + bytes.toString('latin1');
        else expected.push(bytes.toString('latin1'));
      }
      expect(
        seen.map((part) =>
          typeof part === 'string' ? part : part.map((value) => value?.toString() ?? null),
        ),
      ).toEqual(expected);
    }),
  );
});
