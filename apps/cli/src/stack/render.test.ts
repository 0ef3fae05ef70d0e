import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DCLinter } from 'dclint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readEnvironment } from '../environment/read.ts';
import type { EnvironmentConfig } from '../environment/schema.ts';
import { environment } from '../environment/testing/environment.ts';
import type { ComposeService } from './compose.ts';
import { printStack } from './print.ts';
import { NOTHING_RELEASED, type ReleaseState } from './release-state.ts';
import { currentGatewayConfig, initialState, renderStack, type StackDocument } from './render.ts';

const deploy = fileURLToPath(new URL('../../../../deploy/', import.meta.url));
const examples = [
  'calculaud.example.yml',
  ...readdirSync(`${deploy}examples`).map((name) => `examples/${name}`),
];

function example(file: string): EnvironmentConfig {
  const { config } = readEnvironment(readFileSync(deploy + file, 'utf8'));
  if (config === undefined) throw new Error(`${file} is wrong`);
  return config;
}

function rendered(config: EnvironmentConfig): StackDocument {
  return renderStack(config, initialState(config));
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-stack-test-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe.each(examples)('%s', (file) => {
  const stack = rendered(example(file));
  const services = Object.entries(stack.file.services);

  test('is rendered as it was reviewed', async () => {
    const { name } = example(file);
    await expect(printStack(stack)).toMatchFileSnapshot(`golden/${name}.stack.yml`);
  });

  test('leaves nothing to a linter of compose files', () => {
    const path = join(folder, `${stack.name}.yml`);
    writeFileSync(path, printStack(stack));
    const [result] = new DCLinter({ rules: {}, quiet: false, debug: false, exclude: [] }).lintFiles(
      [path],
      false,
    );
    expect(result?.messages.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([]);
  });

  test.each(services)('%s is bounded, unprivileged and restarted', (name, service: ComposeService) => {
    const [uid] = service.user.split(':').map(Number);
    expect(uid).toBeGreaterThan(0);
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    expect(service.logging.options).toMatchObject({ 'max-size': '10m' });
    expect(service.deploy.resources).toMatchObject({
      limits: { cpus: expect.any(String), memory: expect.any(String), pids: expect.any(Number) },
      reservations: { cpus: expect.any(String), memory: expect.any(String) },
    });
    expect(service.deploy.restart_policy.condition).toMatch(/^(any|on-failure)$/);
    // A step that ends has nobody to ask for its health.
    expect(service.healthcheck === undefined).toBe(name.startsWith('migration-'));
    const binds = service.volumes.filter(({ type }) => type === 'bind');
    // A repository is written to.
    const readOnly = name !== 'backup';
    expect(binds.every((mount) => mount.type === 'bind' && (mount.read_only ?? false) === readOnly)).toBe(
      true,
    );
    expect(JSON.stringify(service)).not.toMatch(/docker\.sock|"privileged"|"network_mode"|"pid"|"ipc"/);
  });

  test('everything that a service mentions is declared, and nothing else', () => {
    const mentioned = (kind: 'secrets' | 'configs'): string[] =>
      [
        ...new Set(services.flatMap(([, service]) => service[kind]?.map(({ source }) => source) ?? [])),
      ].toSorted();
    expect(Object.keys(stack.file.secrets).toSorted()).toEqual(mentioned('secrets'));
    expect(Object.keys(stack.file.configs).toSorted()).toEqual(mentioned('configs'));
    const volumes = services.flatMap(([, { volumes: mounts }]) =>
      mounts.flatMap((mount) => (mount.type === 'volume' ? [mount.source] : [])),
    );
    expect(Object.keys(stack.file.volumes)).toEqual([...new Set(volumes)].toSorted());
    expect(
      services.flatMap(([, { networks }]) => networks.filter((name) => !(name in stack.file.networks))),
    ).toEqual([]);
  });
});

describe('networks', () => {
  const { file } = rendered(
    environment({ database: { kind: 'bundled', pooler: true }, storage: { kind: 'bundled-s3' }, clamav: {} }),
  );
  const on = (network: string): string[] =>
    Object.entries(file.services)
      .filter(([, { networks }]) => networks.includes(network))
      .map(([name]) => name.replace(/-\w{12}$/, ''))
      .toSorted();

  test('the gateway sees the API alone, and nobody but the gateway is published', () => {
    expect(on('edge')).toEqual(['gateway']);
    expect(on('front')).toEqual(['api-blue', 'gateway']);
    const published = Object.entries(file.services).filter(([, { ports }]) => ports);
    expect(published.map(([name]) => name)).toEqual(['gateway']);
  });

  test('data lies where there is no way out', () => {
    expect(on('data')).toEqual([
      'api-blue',
      'clamav',
      'database',
      'migration',
      'pooler',
      'storage',
      'worker',
    ]);
    expect(on('outside')).toEqual(['api-blue', 'clamav', 'migration', 'worker']);
    expect(file.networks).toMatchObject({
      front: { internal: true, attachable: true },
      data: { internal: true, attachable: true },
    });
  });

  test('between hosts they are encrypted, unless the configuration says otherwise', () => {
    const encrypted = (parts: Record<string, unknown>): boolean[] =>
      Object.values(rendered(environment(parts)).file.networks).map(
        ({ driver_opts }) => driver_opts !== undefined,
      );
    const hosts = [
      { name: 'a', docker: 'ssh://a' },
      { name: 'b', docker: 'ssh://b', roles: ['app'] },
    ];
    const storage = { kind: 'bundled-s3' };
    expect(encrypted({})).toEqual([false, false, false, false]);
    expect(encrypted({ hosts, storage })).toEqual([true, true, true, true]);
    expect(encrypted({ hosts, storage, encrypted_networks: false })).toEqual([false, false, false, false]);
  });
});

describe('what a deployment changes', () => {
  const config = environment();
  const released: ReleaseState = {
    ...initialState(config),
    migration: null,
    green: { image: 'calculaud:2', replicas: 3 },
  };

  test('a colour is a service of its own; changing one leaves everything else as it is', () => {
    const before = rendered(config).file.services;
    const { 'api-green': green, ...rest } = renderStack(config, released).file.services;
    expect(green).toMatchObject({ image: 'calculaud:2', deploy: { replicas: 3 } });
    expect(before).toMatchObject(rest);
    const active = renderStack(config, { ...released, active: 'green' }).file;
    expect(active).toEqual(renderStack(config, released).file);
  });

  test('before the first release there are the database and the gateway', () => {
    expect(Object.keys(renderStack(config, NOTHING_RELEASED).file.services)).toEqual(['gateway', 'database']);
  });

  test('a migration is another service for another image: a job does not run twice', () => {
    const names = ['calculaud:1', 'calculaud:2'].map((image) =>
      Object.keys(renderStack(config, { ...NOTHING_RELEASED, migration: { image } }).file.services).at(1),
    );
    expect(new Set(names).size).toBe(2);
  });

  test('the gateway is not restarted because its configuration changed, unless the release says so', () => {
    const started = { image: 'calculaud-gateway:1', config: currentGatewayConfig(config).name };
    const state = { ...released, gateway: started };
    const changed = environment({ gateway: { requests_per_second: 7 } });
    expect(renderStack(changed, state).file).toEqual(renderStack(config, state).file);
    expect(currentGatewayConfig(changed).name).not.toBe(started.config);
    expect(renderStack(changed, released).file.configs['haproxy']).toMatchObject({
      name: currentGatewayConfig(changed).name,
    });
  });

  test('a rotated secret is another one under the same path', () => {
    const { secrets } = renderStack(config, { ...released, secrets: { tls: 4 } }).file;
    expect(secrets).toMatchObject({
      tls: { name: 'calculaud-test_tls_4' },
      'database-app': { name: 'calculaud-test_database-app_1' },
    });
  });
});

test('development runs the sources, production what is in the image', () => {
  const development = rendered(environment({ kind: 'development', sources: '/src' })).file.services[
    'api-blue'
  ];
  expect(development).toMatchObject({
    command: ['apps/server/src/api.ts'],
    environment: { LOG_LEVEL: 'debug', ENVIRONMENT: 'development' },
    volumes: expect.arrayContaining([
      { type: 'bind', source: '/src', target: '/workspace', read_only: true },
    ]),
  });
  const production = rendered(environment({ kind: 'production' })).file.services['api-blue'];
  expect(production).toMatchObject({ command: ['api'], environment: { LOG_LEVEL: 'info' } });
});

test('the database soon gives up sessions of a host that is gone, whether it owes them an answer or not', () => {
  const { database } = rendered(environment()).file.services;
  expect(database?.sysctls).toEqual({ 'net.ipv4.tcp_retries2': '4' });
  expect(database?.command).toEqual(
    expect.arrayContaining(['tcp_keepalives_idle=3', 'tcp_keepalives_interval=1', 'tcp_keepalives_count=3']),
  );
});

test('the grace period is longer than the drain', () => {
  const period = (settings: object): string | undefined =>
    rendered(environment({ settings })).file.services['api-blue']?.stop_grace_period;
  expect(period({})).toBe('20s');
  expect(period({ CALCULAUD_DRAIN_TIMEOUT_MS: 900_000 })).toBe('910s');
});

test('dollars in a value do not become variables of the shell', () => {
  const text = printStack(rendered(environment({ settings: { APP_NAME: 'Buy for $5' } })));
  expect(text).toContain('APP_NAME: Buy for $$5');
});

test('as a folder, the configs lie beside the file', () => {
  const stack = rendered(environment());
  const text = printStack(stack, { configsBeside: true });
  for (const { name } of stack.configs) expect(text).toContain(`file: ./${name}`);
});
