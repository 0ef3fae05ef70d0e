import { expect, test } from 'vitest';
import { describeProblem } from './problem.ts';
import { readEnvironment } from './read.ts';
import { environment, environmentText } from './testing/environment.ts';

function problemsOf(text: string): string[] {
  return readEnvironment(text).problems.map((problem) => describeProblem('calculaud.yml', problem));
}

test('everything that is wrong is told at once, with its line, its path and what was expected', () => {
  const text = `name: Test
kind: prod
image: calculaud
hosts:
  - name: one
    docker: tcp://1.2.3.4
    rols: [app]
gateway:
  htps: 443
  http: 99999
strategy: { soak: 5x }
`;
  expect(problemsOf(text)).toEqual([
    'calculaud.yml  domain is missing; expected: a host name such as procurement.example.org',
    'calculaud.yml:1  name cannot be "Test"; expected: lower-case letters, digits and dashes, starting with a letter',
    'calculaud.yml:2  kind cannot be "prod"; expected: one of development, staging, production',
    'calculaud.yml:3  image cannot be "calculaud"; expected: an image with its tag or digest, such as registry.example.org/calculaud:1.0.0',
    'calculaud.yml:6  hosts.0.docker cannot be "tcp://1.2.3.4"; expected: unix:///path/of/docker.sock or ssh://user@host',
    'calculaud.yml:7  hosts.0.rols is not known; expected: did you mean roles?',
    'calculaud.yml:9  gateway.htps is not known; expected: did you mean https?',
    'calculaud.yml:10  gateway.http cannot be 99999; expected: a port from 1 to 65535',
    'calculaud.yml:11  strategy.soak cannot be "5x"; expected: a duration such as 30s, 5m, 2h or 7d',
  ]);
});

test('an unknown key that resembles none is answered with those there are', () => {
  expect(problemsOf(environmentText({ replicas: { frontend: 2 } }))).toEqual([
    'calculaud.yml:9  replicas.frontend is not known; expected: one of api, worker',
  ]);
});

test('an alternative is chosen by its kind, and has only the keys of that kind', () => {
  expect(problemsOf(environmentText({ database: { kind: 'external', pooler: true } }))).toEqual([
    'calculaud.yml:10  database.pooler belongs to another kind; expected: that kind, or to be left out',
  ]);
  expect(problemsOf(environmentText({ database: { kind: 'mysql' } }))).toEqual([
    'calculaud.yml:9  database.kind cannot be "mysql"; expected: one of bundled, external',
  ]);
});

test('text that is no YAML, and a key that stands twice, are told with their lines', () => {
  expect(problemsOf('name: [')).toEqual([expect.stringMatching(/^calculaud\.yml:1 {2}is no YAML/)]);
  expect(problemsOf(`${environmentText()}name: again\n`)).toEqual([
    expect.stringMatching(/^calculaud\.yml:8 {2}is no YAML.*unique/),
  ]);
});

test('an empty file lacks everything that has no default', () => {
  expect(readEnvironment('').problems.map(({ path, problem }) => `${path} ${problem}`)).toEqual([
    'name is missing',
    'kind is missing',
    'domain is missing',
    'image is missing',
    'hosts is missing',
  ]);
});

test('proxies are addresses and networks', () => {
  const wrong = (...trusted_proxies: string[]): number =>
    readEnvironment(environmentText({ gateway: { trusted_proxies } })).problems.length;
  expect(wrong('10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1')).toBe(0);
  expect(wrong('10.0.0.0/33', '10.0.0', 'loopback', '10.0.0.1,10.0.0.2', '')).toBe(5);
});

test('durations are milliseconds, and what is left out is at its default', () => {
  const config = environment({ strategy: { soak: '2h' } });
  expect(config.strategy).toMatchObject({ default: 'blue-green', soak: 7_200_000, watch: 30_000 });
});

test('sections that nothing uses yet are noted', () => {
  const { notes } = readEnvironment(
    environmentText({ smtp: { host: 'mail.example.org', from: 'a@example.org' } }),
  );
  expect(notes).toEqual([{ path: 'smtp', text: expect.stringContaining('no part of this version') }]);
});
