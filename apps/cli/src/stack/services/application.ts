import type { EnvironmentConfig } from '../../environment/schema.ts';
import type { ComposeHealthCheck, ComposeMount, ComposeService } from '../compose.ts';
import { bounded, hardened, scratch, secretFiles, secretPath, startFirst } from '../container.ts';
import { API_PORT, APP_USER, MANAGEMENT_PORT, NETWORKS, type SecretName, SERVICES } from '../names.ts';
import { placement } from '../placement.ts';

/** The services that run the image of Calculaud itself: API, worker, and the step that migrates. */

export const DATA = '/data';
/** Where development mounts the checkout. */
const SOURCES = '/workspace';

/** The settings that every process of the application gets; what the operator sets comes last. */
export function applicationSettings(config: EnvironmentConfig): Record<string, string> {
  const { kind, storage, log_level, settings } = config;
  return {
    ENVIRONMENT: kind,
    CALCULAUD_DATA: DATA,
    LOG_LEVEL: log_level ?? (kind === 'development' ? 'debug' : 'info'),
    ...(storage.kind === 'local' && { CALCULAUD_FILES: 'local' }),
    ...(storage.kind === 'bundled-s3' && {
      CALCULAUD_FILES: 's3',
      S3_BUCKET_NAME: storage.bucket,
      S3_ENDPOINT_URL: `http://${SERVICES.storage}:7070`,
      AWS_REGION: 'us-east-1',
    }),
    ...(storage.kind === 'external-s3' && {
      CALCULAUD_FILES: 's3',
      S3_BUCKET_NAME: storage.bucket,
      ...(storage.endpoint && { S3_ENDPOINT_URL: storage.endpoint }),
      ...(storage.region && { AWS_REGION: storage.region }),
    }),
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])),
  };
}

export function apiService(
  config: EnvironmentConfig,
  { image, replicas }: { readonly image: string; readonly replicas: number },
): ComposeService {
  const database: SecretName =
    config.database.kind === 'bundled' && config.database.pooler ? 'database-app-pooled' : 'database-app';
  return {
    ...application(config, image, ['api'], [database, 'signing-secret', ...storageSecrets(config)]),
    environment: {
      ...applicationSettings(config),
      HOST: '0.0.0.0',
      PORT: String(API_PORT),
      CALCULAUD_MANAGEMENT_HOST: '0.0.0.0',
      MANAGEMENT_PORT: String(MANAGEMENT_PORT),
      // Nothing but the gateway reaches the port of the API.
      CALCULAUD_TRUSTED_PROXIES: 'uniquelocal',
      DATABASE_URL_FILE: secretPath(database),
      ...secretSettings(config),
    },
    networks: [NETWORKS.front, NETWORKS.data, NETWORKS.outside],
    deploy: {
      replicas,
      endpoint_mode: 'dnsrr',
      ...startFirst('5s'),
      restart_policy: { condition: 'any', delay: '2s' },
      resources: bounded(config, 'api'),
      ...placement(config, 'app'),
    },
  };
}

export function workerService(
  config: EnvironmentConfig,
  {
    image,
    replicas = config.replicas.worker,
  }: { readonly image: string; readonly replicas?: number | undefined },
): ComposeService {
  return {
    ...application(
      config,
      image,
      ['worker'],
      ['database-worker', 'signing-secret', ...storageSecrets(config)],
    ),
    environment: {
      ...applicationSettings(config),
      CALCULAUD_MANAGEMENT_HOST: '0.0.0.0',
      MANAGEMENT_PORT: String(MANAGEMENT_PORT),
      CALCULAUD_WORKER_DATABASE_URL_FILE: secretPath('database-worker'),
      ...secretSettings(config),
    },
    networks: [NETWORKS.data, NETWORKS.outside],
    deploy: {
      replicas,
      endpoint_mode: 'dnsrr',
      // Two versions work side by side for a moment: jobs are shared through the database.
      ...startFirst('5s'),
      restart_policy: { condition: 'any', delay: '2s' },
      resources: bounded(config, 'worker'),
      ...placement(config, 'app'),
    },
  };
}

/** Runs once for each image, as the owner of the tables, until it succeeds. */
export function migrationService(config: EnvironmentConfig, image: string): ComposeService {
  return {
    ...job(config, image, ['calculaud', 'db', 'migrate']),
    deploy: {
      mode: 'replicated-job',
      replicas: 1,
      restart_policy: { condition: 'on-failure', delay: '2s', max_attempts: 60 },
      resources: bounded(config, 'worker'),
      ...placement(config, 'app'),
    },
  };
}

/** A container that works on the database as the owner of the tables, and ends. */
export function job(
  config: EnvironmentConfig,
  image: string,
  command: readonly string[],
): Omit<ComposeService, 'deploy'> {
  const { healthcheck: _, ...container } = application(config, image, command, [
    'database-owner',
    'database-app',
    'signing-secret',
    ...storageSecrets(config),
  ]);
  return {
    ...container,
    environment: {
      ...applicationSettings(config),
      DATABASE_URL_FILE: secretPath('database-app'),
      CALCULAUD_MIGRATION_DATABASE_URL_FILE: secretPath('database-owner'),
      ...secretSettings(config),
    },
    networks: [NETWORKS.data, NETWORKS.outside],
  };
}

/** Its test is the image's own: started, then live. What is down beside it (the database) restarts nothing. */
const HEALTH_TIMES: ComposeHealthCheck = {
  interval: '2s',
  timeout: '3s',
  retries: 5,
  start_period: '15s',
};

/** Longer than uploads and exports may go on after the end was announced (CALCULAUD_DRAIN_TIMEOUT_MS). */
function gracePeriod({ settings }: EnvironmentConfig): string {
  const drain = Number(settings['CALCULAUD_DRAIN_TIMEOUT_MS'] ?? 10_000);
  return `${Math.ceil(drain / 1000) + 10}s`;
}

export function application(
  config: EnvironmentConfig,
  image: string,
  command: readonly string[],
  secrets: readonly SecretName[],
): Omit<ComposeService, 'deploy' | 'networks'> {
  return {
    image,
    ...(config.sources === undefined ? { command, init: true } : fromSources(command)),
    ...hardened(APP_USER),
    secrets: secretFiles(secrets, APP_USER),
    volumes: [
      scratch('/tmp', 256),
      ...(config.storage.kind === 'local'
        ? [{ type: 'volume', source: 'files', target: DATA } as const]
        : [scratch(DATA, 16)]),
      ...(config.sources === undefined ? [] : [checkout(config.sources)]),
    ],
    healthcheck: HEALTH_TIMES,
    stop_grace_period: gracePeriod(config),
  };
}

function checkout(sources: string): ComposeMount {
  return { type: 'bind', source: sources, target: SOURCES, read_only: true };
}

/** The same programs out of the checkout; a saved file restarts those that stay. */
function fromSources([program = '', ...rest]: readonly string[]) {
  const tsx = ['node', 'node_modules/tsx/dist/cli.mjs'];
  const place = { working_dir: SOURCES, init: true };
  return program === 'calculaud'
    ? { entrypoint: tsx, command: ['apps/cli/src/main.ts', ...rest], ...place }
    : {
        entrypoint: [...tsx, 'watch', '--clear-screen=false'],
        command: [`apps/server/src/${program}.ts`],
        ...place,
      };
}

export function storageSecrets({ storage }: EnvironmentConfig): readonly SecretName[] {
  return storage.kind === 'local' ? [] : ['s3-access-key-id', 's3-secret-access-key'];
}

export function secretSettings({ storage }: EnvironmentConfig): Record<string, string> {
  return {
    CALCULAUD_SIGNING_SECRET_FILE: secretPath('signing-secret'),
    ...(storage.kind !== 'local' && {
      AWS_ACCESS_KEY_ID_FILE: secretPath('s3-access-key-id'),
      AWS_SECRET_ACCESS_KEY_FILE: secretPath('s3-secret-access-key'),
    }),
  };
}
