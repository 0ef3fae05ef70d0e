import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareContents, noteContents } from '@calculaud/backup/drill/contents';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** On a server of its own: what others do on it is part of what is noted. */

const { signal } = new AbortController();
let folder: string;
let server: EmbeddedPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-contents-'));
  server = await startEmbeddedPostgres({ dataDirectory: folder });
  pool = new pg.Pool({ connectionString: server.connectionString('owner') });
  // One that is still closing when the server stops.
  pool.on('error', () => undefined);
  await pool.query(`
    create table one (id int primary key, text text);
    insert into one select id, 'row ' || id from generate_series(1, 100) id;
    create table two (id int primary key);
    grant select on one, two to calculaud_backup`);
});
afterAll(async () => {
  await pool.end();
  await server.stop();
  rmSync(folder, { recursive: true });
});

test('what was noted is compared to the last row, and names what differs', async () => {
  const note = await noteContents(server.connectionString('backup'), signal);
  expect(note).toMatchObject({
    lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
    systemId: expect.stringMatching(/^\d{10,20}$/),
  });
  const compare = async () => compareContents(server.connectionString('owner'), note, signal);
  expect((await compare()).faults).toEqual([]);
  await pool.query(`update one set text = 'other' where id = 7`);
  expect((await compare()).faults).toEqual(['one has as many rows as it had, and not the same ones']);
  await pool.query('delete from one where id = 7; insert into two values (1)');
  expect((await compare()).faults).toEqual(['one has 99 rows instead of 100', 'two has 1 rows instead of 0']);
  await pool.query('drop table two');
  expect((await compare()).faults).toEqual(['one has 99 rows instead of 100', 'the table two is missing']);
});

test('while others change rows all the time, a moment is found in which nobody does', async () => {
  const done = new AbortController();
  let changes = 0;
  const others = (async () => {
    for (; !done.signal.aborted; changes += 1)
      await pool.query(`update one set text = text || '.' where id = 1`);
  })();
  try {
    await noteContents(server.connectionString('backup'), signal);
  } finally {
    done.abort();
    await others;
  }
  expect(changes).toBeGreaterThan(0);
});
