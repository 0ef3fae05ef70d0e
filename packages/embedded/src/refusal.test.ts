import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startEmbeddedPostgres } from './supervisor.ts';
import {
  dataFolder,
  isRoot,
  NOBODY,
  ourselves,
  removeFoldersAfterwards,
  usedDataFolder,
} from './testing/folders.ts';
import { hold } from './testing/hold.ts';

removeFoldersAfterwards();

vi.setConfig({ testTimeout: 60_000 });

/** Every message says what happened and what to do, and none is a stack. */
async function refusalOf(dataDirectory: string): Promise<string> {
  const refusal: unknown = await startEmbeddedPostgres({ dataDirectory, durability: 'none' }).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refusal).toMatchObject({ name: 'EmbeddedPostgresError' });
  return refusal instanceof Error ? refusal.message : '';
}

test('of several starts at once exactly one wins; the others name its process', async () => {
  const folder = dataFolder();
  const contenders = [1, 2, 3, 4].map(() => hold(folder));
  const outcomes = await Promise.all(contenders.map(async ({ outcome }) => outcome));
  const winners = contenders.filter((_, index) => 'pid' in (outcomes[index] ?? {}));
  expect(winners).toHaveLength(1);
  const [winner] = winners;
  const refusals = outcomes.flatMap((outcome) => ('refusal' in outcome ? [outcome.refusal] : []));
  expect(refusals).toHaveLength(3);
  for (const refusal of refusals) {
    expect(refusal).toMatch(`Calculaud already runs on this data folder: process ${winner?.pid} holds`);
  }

  // The winner is killed, and three more find his lock at the same time.
  await winner?.kill();
  const heirs = [1, 2, 3].map(() => hold(folder));
  const taken = await Promise.all(heirs.map(async ({ outcome }) => outcome));
  expect(taken.filter((outcome) => 'pid' in outcome)).toHaveLength(1);
  await Promise.all(heirs.map(async (heir) => heir.stop()));
});

test('a data folder that may not be written is refused by name', async () => {
  const folder = dataFolder();
  chmodSync(folder, 0o555);
  const holder = hold(folder, isRoot ? NOBODY : ourselves);
  expect(await holder.refusal()).toMatch(
    new RegExp(`^The data folder ${folder} cannot be written: permission denied\\. .*CALCULAUD_DATA`),
  );
});

test('a file in the place of the data folder is refused', async () => {
  const file = join(dataFolder(), 'data');
  writeFileSync(file, '');
  expect(await refusalOf(file)).toMatch(/is a file\. .*CALCULAUD_DATA/);
  expect(await refusalOf(join(file, 'below'))).toMatch(/is a file\. .*CALCULAUD_DATA/);
});

test('a place in which no folder can be made is refused, and not tried for ever', async () => {
  expect(await refusalOf('/proc/calculaud/data')).toMatch(
    /^The data folder \/proc\/calculaud\/data cannot be written: no folder can be made in \/proc.*CALCULAUD_DATA/,
  );
});

test('a folder that is no cluster is left alone', async () => {
  const folder = dataFolder();
  mkdirSync(join(folder, 'postgres'));
  writeFileSync(join(folder, 'postgres', 'thesis.txt'), 'the only copy');
  expect(await refusalOf(folder)).toMatch(/is not a PostgreSQL database .*Nothing was changed\. .*restore/);
  expect(readFileSync(join(folder, 'postgres', 'thesis.txt'), 'utf8')).toBe('the only copy');
});

test('a cluster of another major version is left alone', async () => {
  const folder = dataFolder();
  mkdirSync(join(folder, 'postgres'));
  writeFileSync(join(folder, 'postgres', 'PG_VERSION'), '17\n');
  expect(await refusalOf(folder)).toMatch(
    /was made by PostgreSQL 17, and this Calculaud brings PostgreSQL 18/,
  );
});

test('a full disk is called by its name, and what was begun is begun again when there is room', async () => {
  const folder = dataFolder();
  // 512 kB: enough for Node, too little for the files of a cluster.
  const full = hold(folder, { largestFile: 1024 });
  expect(await full.refusal()).toMatch(
    /could not be created .*File too large.*The disk is full: free some space/s,
  );
  const again = hold(folder);
  await again.server();
  await again.stop();
});

test('a server that does not start shows the end of its log, and lets go of the folder', async () => {
  const folder = await usedDataFolder();
  const control = join(folder, 'postgres', 'global', 'pg_control');
  const whole = readFileSync(control);
  writeFileSync(control, Buffer.alloc(whole.length));
  expect(await refusalOf(folder)).toMatch(
    /did not start\. Its log \(.*postgres\.log\) ends with:\n.*(FATAL|PANIC):.*\n.*restore the database from a backup/s,
  );
  writeFileSync(control, whole);
  const again = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  await again.stop();
});

test('a server that does not even get to write a log is explained', async () => {
  const folder = await usedDataFolder();
  writeFileSync(join(folder, 'postgres', 'postgresql.auto.conf'), "work_mem = 'plenty'\n");
  expect(await refusalOf(folder)).toMatch(
    /did not start\..*invalid value for parameter "work_mem": "plenty"/s,
  );
});
