import { expect, test } from 'vitest';
import { environment } from '../environment/testing/environment.ts';
import { renderJob } from './job.ts';
import { NOTHING_RELEASED } from './release-state.ts';

const migration = { name: 'migrate-7', image: 'calculaud:2', command: ['calculaud', 'db', 'migrate'] };

test('a job works on the database as the owner of the tables, as locked in as any service', () => {
  const line = renderJob(environment(), { ...NOTHING_RELEASED, secrets: { 'database-owner': 3 } }, migration);
  expect(line.slice(0, 2)).toEqual(['service', 'create']);
  expect(line.slice(-4)).toEqual(['calculaud:2', 'calculaud', 'db', 'migrate']);
  const text = line.join(' ');
  expect(text).toContain('--name calculaud-test-migrate-7 ');
  expect(text).toContain('--mode replicated-job --restart-condition none');
  expect(text).toContain('--network calculaud-test_data --network calculaud-test_outside');
  expect(text).toContain('--secret source=calculaud-test_database-owner_3,target=database-owner,uid=10001');
  expect(text).toContain('CALCULAUD_MIGRATION_DATABASE_URL_FILE=/run/secrets/database-owner');
  expect(text).toContain(' --read-only ');
  expect(text).toContain('--user 10001:10001 --cap-drop ALL');
  expect(text).toContain('--limit-memory 512M');
});

test('it runs where the application may', () => {
  const hosts = [
    { name: 'a', docker: 'ssh://a', roles: ['gateway', 'database'] },
    { name: 'b', docker: 'ssh://b', roles: ['app'] },
  ];
  const line = renderJob(environment({ hosts }), NOTHING_RELEASED, migration).join(' ');
  expect(line).toContain('--constraint node.hostname != a');
});

test('with sources it is their program that runs', () => {
  const config = environment({ kind: 'development', sources: '/src' });
  const line = renderJob(config, NOTHING_RELEASED, migration).join(' ');
  expect(line).toContain('--mount type=bind,source=/src,destination=/workspace,readonly');
  expect(line).toContain(
    '--entrypoint node node_modules/tsx/dist/cli.mjs calculaud:2 apps/cli/src/main.ts db migrate',
  );
});
