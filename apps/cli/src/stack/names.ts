import type { Colour } from './release-state.ts';

/** Every name by which the parts of a stack find each other, and by which commands find them. */

/** The name given to `docker stack deploy`; services, networks and volumes begin with it. */
export function stackName(config: { readonly name: string }): string {
  return `calculaud-${config.name}`;
}

export const SERVICES = {
  gateway: 'gateway',
  apiBlue: 'api-blue',
  apiGreen: 'api-green',
  worker: 'worker',
  backup: 'backup',
  /** Runs once for each image and ends; the hash of the image follows. */
  migration: 'migration',
  database: 'database',
  pooler: 'pooler',
  storage: 'storage',
  clamav: 'clamav',
} as const;
export type ServiceName = (typeof SERVICES)[keyof typeof SERVICES];

export function apiService(colour: Colour): ServiceName {
  return colour === 'blue' ? SERVICES.apiBlue : SERVICES.apiGreen;
}

/** Of the containers that work for a deployment and are no part of the stack; whoever takes over finds them by it. */
export function jobLabel(config: { readonly name: string }): string {
  return `calculaud.job=${stackName(config)}`;
}
export function besideLabel(config: { readonly name: string }): string {
  return `calculaud.beside=${stackName(config)}`;
}

/** As `docker service ls` shows it. */
export function fullServiceName(config: { readonly name: string }, service: ServiceName): string {
  return `${stackName(config)}_${service}`;
}

export const NETWORKS = {
  /** The published ports of the gateway. */
  edge: 'edge',
  /** Gateway and API; containers of ours may join it, to probe what users would see. No way out. */
  front: 'front',
  /** API, worker, database, storage. Jobs may join it. No way out. */
  data: 'data',
  /** The way out of API and worker: identity provider, mail, an external database or store. */
  outside: 'outside',
} as const;
export type NetworkName = (typeof NETWORKS)[keyof typeof NETWORKS];

export function fullNetworkName(config: { readonly name: string }, network: NetworkName): string {
  return `${stackName(config)}_${network}`;
}

export const SECRETS = [
  /** Password of PostgreSQL's superuser; the bundled one. */
  'database-superuser',
  /** Connection URLs, one for each login. */
  'database-owner',
  'database-app',
  /** The same login through the pooler. */
  'database-app-pooled',
  'database-worker',
  'database-backup',
  'database-readonly',
  'signing-secret',
  /** Certificate chain and key in one PEM file, as HAProxy reads it. */
  'tls',
  's3-access-key-id',
  's3-secret-access-key',
  /** Opens the repositories of backups. */
  'backup-keys',
  'backup-s3-access-key-id',
  'backup-s3-secret-access-key',
  'smtp-password',
] as const;
export type SecretName = (typeof SECRETS)[number];

/** Who may connect to the database; each has a secret with its URL. */
export const DATABASE_LOGINS = ['owner', 'app', 'worker', 'backup', 'readonly'] as const;
export type DatabaseLogin = (typeof DATABASE_LOGINS)[number];

export function loginSecret(login: DatabaseLogin): SecretName {
  return `database-${login}`;
}

/** The name of the Docker secret; in containers the file is /run/secrets/<secret>. */
export function fullSecretName(
  config: { readonly name: string },
  secret: SecretName,
  versions: Readonly<Partial<Record<string, number>>>,
): string {
  return `${stackName(config)}_${secret}_${versions[secret] ?? 1}`;
}

/** As whom the parts run in their containers. */
export const APP_USER = 10_001;
export const DATABASE_USER = 999;
export const GATEWAY_USER = 99;
export const POOLER_USER = 10_002;
export const STORAGE_USER = 10_003;
/** Of the official image. */
export const CLAMAV_USER = 100;

/** Inside the containers of the API. */
export const API_PORT = 8000;
export const MANAGEMENT_PORT = 9090;

/** Inside the container of the gateway. Of these only http and https are published. */
export const GATEWAY = {
  ports: {
    http: 8080,
    https: 8443,
    /** One colour, whatever the traffic does: for journeys and probes from the front network. Plain HTTP. */
    blue: 8081,
    green: 8082,
    /** Like https, switched alike, but in plain HTTP and without the limit by client: for probes from the front network. */
    traffic: 8083,
    /** /metrics for Prometheus, /healthy for the container's own health check. */
    metrics: 8404,
  },
  /** HAProxy's runtime API; inside the container only. */
  runtimeSocket: '/run/haproxy/runtime.sock',
  /** HAProxy's master process: reload, and which workers there are. */
  masterSocket: '/run/haproxy/master.sock',
  /** A named volume, so that a restart agrees with what was set at run time. */
  folder: '/var/lib/haproxy',
  trafficMap: '/var/lib/haproxy/traffic.map',
  /** What runs; the entrypoint takes it from the given one when that is another than before. */
  config: '/var/lib/haproxy/haproxy.cfg',
  givenConfig: '/etc/calculaud/haproxy.cfg',
  /** Addresses and states of the servers, written before a reload, so that the next process knows them at once. */
  serverState: '/var/lib/haproxy/servers.state',
  certificate: '/var/lib/haproxy/tls.pem',
} as const;

/** HAProxy's name for the servers of a colour. */
export function backendName(colour: Colour): string {
  return `api-${colour}`;
}

/** Keys of the traffic map. */
export const TRAFFIC_KEYS = ['active', 'next', 'canary'] as const;
