import { createHash } from 'node:crypto';
import type { EnvironmentConfig } from '../environment/schema.ts';
import type { ComposeFile, ComposeNetwork, ComposeService } from './compose.ts';
import { externalSecrets } from './container.ts';
import { databaseAccess, databaseRolesScript } from './database-logins.ts';
import { gatewayConfig } from './gateway.ts';
import { gatewayImage, poolerImage, storageImage } from './images.ts';
import { apiService as apiName, NETWORKS, SECRETS, SERVICES, stackName } from './names.ts';
import { COLOURS, type ReleaseState } from './release-state.ts';
import { apiService, migrationService, workerService } from './services/application.ts';
import { backupService } from './services/backup.ts';
import { clamavService } from './services/clamav.ts';
import { DATABASE_ACCESS, DATABASE_CONFIG, databaseService } from './services/database.ts';
import { GATEWAY_CONFIG, gatewayService } from './services/gateway.ts';
import { POOLER_CONFIG, poolerConfig, poolerService } from './services/pooler.ts';
import { storageService } from './services/storage.ts';

/** A file that Swarm mounts into containers. Named by its content: another content is another config. */
export interface StackConfig {
  /** In the stack file. */
  readonly key: string;
  /** Of the Docker config. */
  readonly name: string;
  readonly content: string;
}

/** Everything that `docker stack deploy` needs; the configs are created before it (they are external in the file). */
export interface StackDocument {
  readonly name: string;
  readonly file: ComposeFile;
  readonly configs: readonly StackConfig[];
}

/** The same configuration and state always give the same stack. */
export function renderStack(config: EnvironmentConfig, state: ReleaseState): StackDocument {
  const services = renderServices(config, state);
  const all = Object.values(services);
  const configs = currentConfigs(config).filter(({ key }) => mentions(all, 'configs', key));
  return {
    name: stackName(config),
    file: {
      version: '3.9',
      services,
      networks: renderNetworks(config),
      volumes: Object.fromEntries(volumesOf(all).map((name) => [name, {}])),
      secrets: externalSecrets(config, all, SECRETS, state.secrets),
      configs: Object.fromEntries(
        configs.map(({ key, name }) => [key, { external: true, name: startedWith(key, state) ?? name }]),
      ),
    },
    configs,
  };
}

/** The first installation: all of it at once, blue answering. */
export function initialState({ image, replicas }: EnvironmentConfig): ReleaseState {
  return {
    active: 'blue',
    blue: { image, replicas: replicas.api },
    green: null,
    worker: { image },
    migration: { image },
    gateway: null,
    secrets: {},
  };
}

/** What the gateway runs with today, and the name it has as a Docker config. */
export function currentGatewayConfig(config: EnvironmentConfig): StackConfig {
  return named(config, GATEWAY_CONFIG, gatewayConfig(config));
}

function renderServices(config: EnvironmentConfig, state: ReleaseState): Record<string, ComposeService> {
  const { database, storage, clamav, backup } = config;
  return {
    [SERVICES.gateway]: gatewayService(config, state.gateway?.image ?? gatewayImage(config)),
    ...Object.fromEntries(
      COLOURS.flatMap((colour) => {
        const release = state[colour];
        return release === null ? [] : [[apiName(colour), apiService(config, release)]];
      }),
    ),
    ...(state.worker && { [SERVICES.worker]: workerService(config, state.worker) }),
    // Of the image of the worker: it changes as late.
    ...(backup && state.worker && { [SERVICES.backup]: backupService(config, backup, state.worker.image) }),
    // Of its own name for every image: Swarm does not run a job again because its image changed.
    ...(state.migration && {
      [`${SERVICES.migration}-${shortHash(state.migration.image)}`]: migrationService(
        config,
        state.migration.image,
      ),
    }),
    ...(database.kind === 'bundled' && {
      [SERVICES.database]: databaseService(config, database.image),
      ...(database.pooler && { [SERVICES.pooler]: poolerService(config, poolerImage(config)) }),
    }),
    ...(storage.kind === 'bundled-s3' && {
      [SERVICES.storage]: storageService(config, { image: storageImage(config), bucket: storage.bucket }),
    }),
    ...(clamav && { [SERVICES.clamav]: clamavService(config, clamav.image) }),
  };
}

function renderNetworks(config: EnvironmentConfig): ComposeFile['networks'] {
  const encrypted = config.encrypted_networks ?? config.hosts.length > 1;
  const overlay = {
    driver: 'overlay',
    ...(encrypted && { driver_opts: { encrypted: '' } as const }),
  } as const satisfies ComposeNetwork;
  return {
    [NETWORKS.edge]: overlay,
    [NETWORKS.front]: { ...overlay, internal: true, attachable: true },
    [NETWORKS.data]: { ...overlay, internal: true, attachable: true },
    [NETWORKS.outside]: overlay,
  };
}

function currentConfigs(config: EnvironmentConfig): readonly StackConfig[] {
  return [
    currentGatewayConfig(config),
    named(config, DATABASE_CONFIG, databaseRolesScript()),
    named(config, DATABASE_ACCESS, databaseAccess()),
    named(config, POOLER_CONFIG, poolerConfig(config)),
  ];
}

function named(config: EnvironmentConfig, key: string, content: string): StackConfig {
  return { key, name: `${stackName(config)}_${key}_${shortHash(content)}`, content };
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** The gateway goes on naming what it was started with; see ReleaseState. */
function startedWith(key: string, { gateway }: ReleaseState): string | undefined {
  return key === GATEWAY_CONFIG ? gateway?.config : undefined;
}

function mentions(services: readonly ComposeService[], kind: 'configs', key: string): boolean {
  return services.some((service) => service[kind]?.some(({ source }) => source === key));
}

function volumesOf(services: readonly ComposeService[]): string[] {
  const names = services.flatMap(({ volumes }) =>
    volumes.flatMap((mount) => (mount.type === 'volume' ? [mount.source] : [])),
  );
  return [...new Set(names)].toSorted();
}
