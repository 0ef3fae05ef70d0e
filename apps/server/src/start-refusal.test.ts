import { assertSchemaFits } from '@calculaud/db/schema-fit';
import { createTestDatabase } from '@calculaud/testing/database';
import { expect, test } from 'vitest';
import { StartError, startRefusal } from './start-refusal.ts';

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test('a database that does not fit is refused with what to type', async () => {
  const database = await createTestDatabase({ empty: true });
  const error = await errorOf(assertSchemaFits(database.url('owner')));
  await database.drop();
  expect(startRefusal(error)).toMatch(
    /schema is older than this version needs.*\nRun `calculaud db migrate`\.$/,
  );
});

test('a server that is not there, or does not let us in, is told in words and without the password', async () => {
  const nobodyListens = await errorOf(assertSchemaFits('postgresql://me:hidden@127.0.0.1:1/none'));
  expect(startRefusal(nobodyListens)).toMatch(
    /^The database cannot be used: .*ECONNREFUSED.*\n.*DATABASE_URL/,
  );
  const noSocket = await errorOf(assertSchemaFits('postgresql://me@localhost/none?host=/nonexistent'));
  expect(startRefusal(noSocket)).toContain('The database cannot be used');

  const database = await createTestDatabase();
  const wrong = database.url('app').replace(/:[^:@/]+@/, ':hidden@');
  const notAdmitted = await errorOf(assertSchemaFits(wrong));
  await database.drop();
  expect(startRefusal(notAdmitted)).toContain('password authentication failed');
  expect(startRefusal(notAdmitted)).not.toContain('hidden');
});

test('a fault of ours stays one: its stack is wanted', () => {
  expect(startRefusal(new StartError('Port 1 is used.'))).toBe('Port 1 is used.');
  expect(startRefusal(new TypeError('x is not a function'))).toBeUndefined();
  const missingFile = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', syscall: 'open' });
  expect(startRefusal(missingFile)).toBeUndefined();
});
