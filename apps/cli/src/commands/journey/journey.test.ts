import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { isMarked, markOf } from '../../journey/marks.ts';
import { type JourneyEvent, journeyEvent } from '../../journey/journey-events.ts';
import { calculaud } from '../../testing/command-line.ts';
import { type FaultyProxy, startFaultyProxy } from '../../testing/faulty-proxy.ts';
import { startTestServer, type TestServer } from '../../testing/server.ts';

let server: TestServer;
let proxy: FaultyProxy;
beforeAll(async () => {
  server = await startTestServer();
  proxy = await startFaultyProxy(server.url);
});
afterEach(() => {
  proxy.fault = () => undefined;
});
afterAll(async () => {
  await proxy.close();
  await server.close();
});

async function journey(...more: string[]) {
  const line = ['journey', '--url', proxy.url, '--json', ...more];
  const outcome = await calculaud(line, { CALCULAUD_API_TOKEN: server.token });
  const events: JourneyEvent[] = outcome.events().map((event) => journeyEvent.parse(event));
  const results = events.filter((event) => event.event === 'journey');
  return {
    ...outcome,
    results,
    failures: results.flatMap(({ steps }) => steps.filter(({ failure }) => failure)),
  };
}

async function count(table: 'purpose' | 'file_attachment'): Promise<number> {
  const { rows } = await server.database.pool.query<{ n: number }>(`select count(*)::int as n from ${table}`);
  return rows[0]?.n ?? -1;
}

test('a system that works passes every step, and nothing is left of it', async () => {
  const { exitCode, stderr, results, failures } = await journey('--rounds', '2', '--pause', '0');
  expect({ exitCode, failures }, `it said: ${stderr}`).toEqual({ exitCode: 0, failures: [] });
  expect(results).toHaveLength(2);
  expect(results[0]?.steps.map(({ step }) => step)).toEqual([
    'sign in',
    'sweep',
    'open every page',
    'create a purpose',
    'add a purchase',
    'attach a file',
    'read the file',
    'complete a stage',
    'read it back',
    'open its pages',
    'find it',
    'clean up',
  ]);
  expect(await count('purpose')).toBe(0);
  expect(await count('file_attachment')).toBe(0);
});

test.each([
  ['sign in', (path: string) => path.startsWith('/api/v1/purposes/?limit=1')],
  ['open every page', (path: string) => path.includes('/analytics/services/quantities')],
  ['complete a stage', (path: string) => path.startsWith('/api/v1/stages/')],
  ['read the file', (path: string) => path.includes('/content?')],
  ['open its pages', (path: string) => path.endsWith('/flow-decisions')],
  ['find it', (path: string) => path.includes('/export_csv')],
])('a route that is broken fails the step "%s", with what was asked and what came', async (step, broken) => {
  proxy.fault = ({ path }) =>
    broken(path) ? { kind: 'answer', status: 500, body: '{"detail":"out of order"}' } : undefined;
  const { exitCode, stderr, failures } = await journey();
  expect(exitCode).toBe(2);
  expect(failures).toMatchObject([
    { step, failure: { status: 500, body: '{"detail":"out of order"}', came: 'status 500' } },
  ]);
  expect(stderr).toContain('came status 500: {"detail":"out of order"}');
  expect(await count('purpose')).toBe(0);
});

test.each([
  ['a connection that is reset', { kind: 'reset' }, 'create a purpose', /^reset: /],
  ['a request that is carried out twice', { kind: 'repeat' }, 'create a purpose', /^purpose \d+$/],
  [
    'an answer that is no JSON',
    { kind: 'answer', status: 201, body: '<html>' },
    'create a purpose',
    /expected/,
  ],
] as const)('%s is found, and what was made is removed', async (_, fault, step, came) => {
  proxy.fault = ({ method, path }) => (method === 'POST' && path === '/api/v1/purposes/' ? fault : undefined);
  const { exitCode, failures } = await journey();
  expect(exitCode).toBe(2);
  expect(failures).toMatchObject([{ step, failure: { came: expect.stringMatching(came) } }]);
  expect(await count('purpose')).toBe(0);
});

test('a server that lets strangers in is not fine', async () => {
  proxy.fault = ({ path, headers }) =>
    path.startsWith('/api/v1/purposes/?') && !headers['authorization']
      ? { kind: 'answer', status: 200, body: '{"items":[],"total":0}' }
      : undefined;
  const { failures } = await journey();
  expect(failures).toMatchObject([{ step: 'sign in', failure: { expected: 'status 401', status: 200 } }]);
});

test('what a killed journey left behind goes with the next one, but not what is still under way', async () => {
  const insert = async (description: string, minutes: number) => {
    await server.database.pool.query(
      `insert into purpose (description, creation_time) values ($1, now() - $2 * interval '1 minute')`,
      [description, minutes],
    );
  };
  await insert(markOf('journey', 'killed'), 20);
  await insert(markOf('probe', 'killed', ' #17'), 20);
  await insert(markOf('journey', 'going-on'), 5);
  await insert(`we saw a ${markOf('journey', 'quoted')}`, 20);
  expect((await journey()).exitCode).toBe(0);
  const { rows } = await server.database.pool.query<{ description: string }>(
    'delete from purpose returning description',
  );
  expect(rows.map(({ description }) => description).toSorted()).toEqual([
    markOf('journey', 'going-on'),
    `we saw a ${markOf('journey', 'quoted')}`,
  ]);
  expect(isMarked(null)).toBe(false);
});

test.each([
  [['--url', 'nonsense'], {}, '--url: Invalid URL'],
  [['--url', 'http://127.0.0.1:1', '--rounds', '-1'], {}, '--rounds: '],
])('%j is refused', async (line, environment, reason) => {
  const { exitCode, stderr } = await calculaud(['journey', ...line], environment);
  expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: expect.stringContaining(reason) });
});
