import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from './database.ts';
import { transaction } from './transaction.ts';

const nobody = { principalId: null, requestId: null };
let testDatabase: TestDatabase;
let db: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  db = openDatabase({
    connectionString: testDatabase.url('app'),
    poolSize: 2,
    statementTimeoutMs: 10_000,
    applicationName: 'calculaud test',
  });
});
afterAll(async () => {
  await db.close();
  await testDatabase.drop();
});

test('triggers learn who acts and in which request, in this transaction only', async () => {
  const { id: principalId } = await db
    .insertInto('principal')
    .values({ kind: 'person', subject: 'dana', name: 'Dana' })
    .returning('id')
    .executeTakeFirstOrThrow();
  const add = (name: string) => (tx: Pick<Database, 'insertInto'>) =>
    tx.insertInto('supplier').values({ name }).returning(['id', 'created_by']).executeTakeFirstOrThrow();

  const hers = await transaction(db, { principalId, requestId: 'request-1' }, add('hers'));
  const nobodys = await transaction(db, nobody, add('nobodys'));
  const outside = await add('outside')(db);

  expect([hers.created_by, nobodys.created_by, outside.created_by]).toEqual([principalId, null, null]);
  const audit = await db
    .selectFrom('audit_entry')
    .select(['entity_id', 'principal_id', 'request_id'])
    .where('entity', '=', 'supplier')
    .orderBy('entity_id')
    .execute();
  expect(audit).toEqual([
    { entity_id: hers.id, principal_id: principalId, request_id: 'request-1' },
    { entity_id: nobodys.id, principal_id: null, request_id: null },
    { entity_id: outside.id, principal_id: null, request_id: null },
  ]);
});

test('inside a transaction the work joins it: both are undone together', async () => {
  const work = transaction(db, { principalId: null, requestId: 'outer' }, async (outer) => {
    const inner = await transaction(outer, { principalId: null, requestId: 'inner' }, (tx) =>
      tx.insertInto('supplier').values({ name: 'joined' }).returning('id').executeTakeFirstOrThrow(),
    );
    const seen = await outer.selectFrom('supplier').select('name').where('id', '=', inner.id).execute();
    throw new Error(`undone ${seen[0]?.name}`);
  });
  await expect(work).rejects.toThrow('undone joined');
  const left = await db.selectFrom('supplier').select('id').where('name', '=', 'joined').execute();
  expect(left).toEqual([]);
});

test('an error undoes everything and is not tried again', async () => {
  let runs = 0;
  const work = transaction(db, nobody, async (tx) => {
    runs += 1;
    await tx.insertInto('supplier').values({ name: 'undone' }).execute();
    throw new Error('no');
  });
  await expect(work).rejects.toThrow('no');
  expect(runs).toBe(1);
  expect(await db.selectFrom('supplier').select('id').where('name', '=', 'undone').execute()).toEqual([]);
});

test('of two transactions in a deadlock both come through', async () => {
  await db
    .insertInto('budget_source')
    .values([{ name: 'left' }, { name: 'right' }])
    .execute();
  const together = barrier(2);
  let runs = 0;
  const renameBoth = (names: readonly [string, string]) =>
    transaction(db, nobody, async (tx) => {
      runs += 1;
      const touch = (name: string) =>
        tx.updateTable('budget_source').set({ name }).where('name', '=', name).execute();
      await touch(names[0]);
      await together();
      await touch(names[1]);
      return names[0];
    });
  const results = await Promise.all([renameBoth(['left', 'right']), renameBoth(['right', 'left'])]);
  expect(results).toEqual(['left', 'right']);
  expect(runs).toBe(3);
});

test('after three repetitions the reason is told', async () => {
  let runs = 0;
  const work = transaction(db, nobody, async (tx) => {
    runs += 1;
    await sql`do $$ begin raise exception 'always' using errcode = '40001'; end $$`.execute(tx);
  });
  await expect(work).rejects.toThrow('always');
  expect(runs).toBe(4);
});

test('a migration in between makes the work run again', async () => {
  await testDatabase.pool.query('create table changing (id int); grant select on changing to calculaud_app');
  let runs = 0;
  const read = () =>
    transaction(db, nobody, async (tx) => {
      runs += 1;
      return (await sql`/* changing */ select * from changing`.execute(tx)).rows;
    });
  await read();
  await testDatabase.pool.query('alter table changing add column name text');
  await read();
  expect(runs).toBe(3);
});

/** Lets nobody pass before the given number has come; afterwards everybody. */
function barrier(size: number): () => Promise<void> {
  let come = 0;
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    come += 1;
    if (come === size) open();
    return opened;
  };
}
