import { createTestDatabase } from '@calculaud/testing/database';
import { expect, test } from 'vitest';

test('the schema of the job queue is one that workers of the version before run on', async () => {
  const database = await createTestDatabase();
  const { rows } = await database.pool.query('select max(id) as newest from graphile_worker.migrations');
  await database.drop();
  // The library migrates its own tables, whatever the phase. Before this number is raised: is one of its new migrations
  // breaking (`BREAKING_MIGRATIONS` of the library)? Then workers of the version before stop, and there is no way back.
  expect(rows).toEqual([{ newest: 19 }]);
});
