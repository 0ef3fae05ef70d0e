import { z } from 'zod';
import {
  backupAddress,
  bundleKey,
  containerImage,
  domain,
  dockerEndpoint,
  duration,
  name,
  network,
  port,
  webUrl,
} from './readers.ts';

/**
 * What a `calculaud.yml` may say: one file per environment, everything that is not said has a default. Secrets are never in
 * it: they are Docker secrets, which `calculaud init` creates.
 */

export const KINDS = ['development', 'staging', 'production'] as const;
export const STRATEGIES = ['rolling', 'blue-green', 'canary'] as const;
/** What a host may carry. The parts that keep something (gateway, database, storage) stay on one host. */
export const HOST_ROLES = ['app', 'gateway', 'database', 'storage'] as const;

const host = z.strictObject({
  name: name.describe('host name of the machine, as `docker node ls` shows it'),
  docker: dockerEndpoint.describe('where its Docker answers: unix:///var/run/docker.sock or ssh://user@host'),
  roles: z
    .array(z.enum(HOST_ROLES))
    .min(1)
    .default([...HOST_ROLES])
    .describe('what it carries: all of them unless said otherwise'),
});

const cpus = z.number('a number of processors such as 0.5').positive('a number of processors such as 0.5');
const memory = z
  .string('an amount of memory such as 512M or 2G')
  .regex(/^[1-9]\d*[MG]$/, 'an amount of memory such as 512M or 2G');

/** The bounds of one service. A part that is left out keeps its default. */
function bounds(limits: { cpus: number; memory: string }, reservations: { cpus: number; memory: string }) {
  return z
    .strictObject({
      limits: z
        .strictObject({ cpus: cpus.default(limits.cpus), memory: memory.default(limits.memory) })
        .prefault({})
        .describe('what one container gets at most'),
      reservations: z
        .strictObject({ cpus: cpus.default(reservations.cpus), memory: memory.default(reservations.memory) })
        .prefault({})
        .describe('what must be free on a host before a container is put there'),
    })
    .prefault({});
}

const resources = z
  .strictObject({
    api: bounds({ cpus: 2, memory: '768M' }, { cpus: 0.1, memory: '256M' }),
    worker: bounds({ cpus: 1, memory: '512M' }, { cpus: 0.05, memory: '192M' }),
    backup: bounds({ cpus: 1, memory: '768M' }, { cpus: 0.05, memory: '192M' }),
    gateway: bounds({ cpus: 2, memory: '256M' }, { cpus: 0.1, memory: '64M' }),
    database: bounds({ cpus: 2, memory: '2G' }, { cpus: 0.25, memory: '512M' }),
    pooler: bounds({ cpus: 1, memory: '128M' }, { cpus: 0.05, memory: '32M' }),
    storage: bounds({ cpus: 1, memory: '512M' }, { cpus: 0.05, memory: '64M' }),
    clamav: bounds({ cpus: 1, memory: '3G' }, { cpus: 0.1, memory: '1500M' }),
  })
  .prefault({});

const gateway = z
  .strictObject({
    image: containerImage
      .optional()
      .describe('HAProxy with our entrypoint; left out: calculaud-gateway, from where image comes from'),
    http: port.nullable().default(80).describe('published port that redirects to https; null: none'),
    https: port.default(443).describe('published port of the application'),
    max_connections: z
      .int()
      .min(100)
      .max(100_000)
      .default(4000)
      .describe('connections at once, of all clients; beyond that they wait'),
    requests_per_second: z
      .int()
      .min(0)
      .max(100_000)
      .default(100)
      .describe('of one client address, over ten seconds; beyond that 429. 0: no limit'),
    trusted_proxies: z
      .array(network)
      .default([])
      .describe('load balancers in front of the gateway, whose X-Forwarded-For is believed'),
  })
  .prefault({});

const replicas = z
  .strictObject({
    api: z.int().min(1).max(20).default(2),
    worker: z.int().min(1).max(20).default(1),
  })
  .prefault({});

const strategy = z
  .strictObject({
    default: z.enum(STRATEGIES).default('blue-green').describe('how `calculaud deploy` goes about it'),
    watch: duration.default(30_000).describe('how long the gates judge after traffic has moved'),
    canary: z
      .strictObject({
        steps: z
          .array(z.strictObject({ percent: z.int().min(1).max(99), hold: duration }))
          .min(1)
          .default([
            { percent: 10, hold: 60_000 },
            { percent: 50, hold: 60_000 },
          ])
          .describe('shares of the traffic before all of it, and how long each is held'),
      })
      .prefault({}),
    soak: duration
      .default(1_800_000)
      .describe(
        'how long the old version is kept for an instant rollback; contract migrations come after it',
      ),
  })
  .prefault({});

const database = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('bundled'),
      image: containerImage
        .default('postgres:18.6@sha256:86c951e05bf56c93d95d397747fb8820ac76cc3bedb78f43abd83eedbe3666ae')
        .describe('PostgreSQL 18'),
      pooler: z.boolean().default(false).describe('PgBouncer between the API and PostgreSQL'),
      pooler_image: containerImage
        .optional()
        .describe('left out: calculaud-pooler, from where image comes from'),
    }),
    z.strictObject({
      kind: z.literal('external'),
    }),
  ])
  .prefault({ kind: 'bundled' });

const storage = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('local') }),
    z.strictObject({
      kind: z.literal('bundled-s3'),
      image: containerImage.optional().describe('left out: calculaud-storage, from where image comes from'),
      bucket: z.string().min(3).default('calculaud-files'),
    }),
    z.strictObject({
      kind: z.literal('external-s3'),
      bucket: z.string().min(3),
      endpoint: webUrl.optional().describe('left out: AWS'),
      region: z.string().min(1).optional(),
    }),
  ])
  .prefault({ kind: 'local' });

export const environmentSchema = z.strictObject({
  name: name.describe('name of the environment; the stack is called calculaud-<name>'),
  kind: z.enum(KINDS),
  domain: domain.describe('host name under which people reach it'),
  image: containerImage.describe('image of Calculaud: api, worker and command line'),
  hosts: z.array(host).min(1),
  replicas,
  gateway,
  strategy,
  resources,
  database,
  storage,
  smtp: z
    .strictObject({
      host: domain,
      port: port.default(587),
      from: z.email(),
      user: z.string().min(1).optional().describe('its password is the secret smtp-password'),
    })
    .optional(),
  alerts: z.strictObject({ email: z.array(z.email()).min(1) }).optional(),
  backup: z
    .strictObject({
      repositories: z
        .array(backupAddress)
        .min(1)
        .describe('where backups go: buckets, or folders of the host; at least one on another machine'),
      keep: z
        .strictObject({
          days: z.int().min(1).max(3660).default(14).describe('every second of them can be restored'),
          daily: z.int().min(0).max(1000).default(14),
          weekly: z.int().min(0).max(1000).default(8),
          monthly: z.int().min(0).max(1000).default(12),
          yearly: z.int().min(0).max(1000).default(7),
        })
        .prefault({}),
    })
    .optional()
    .describe('backs the database and the files up all the time'),
  clamav: z
    .strictObject({ image: containerImage.default('clamav/clamav:1.4') })
    .optional()
    .describe('a scanner for uploaded files'),
  offline: z
    .strictObject({
      key: bundleKey.describe(
        'public key of those who make its bundles, as `calculaud bundle key` prints it',
      ),
    })
    .optional()
    .describe('a site without a network: its images come from signed bundles, and are called by their tags'),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).optional(),
  encrypted_networks: z
    .boolean()
    .optional()
    .describe('encrypt traffic between hosts (IPsec): on with several hosts'),
  sources: z
    .string()
    .startsWith('/', 'an absolute path')
    .optional()
    .describe('development: a checkout whose sources are mounted; changes restart the processes'),
  settings: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe('settings of the application as `calculaud config show` lists them; no secrets'),
});

/** A valid configuration of one environment, every default filled in. Durations are milliseconds. */
export type EnvironmentConfig = z.output<typeof environmentSchema>;
export type HostRole = (typeof HOST_ROLES)[number];
export type Strategy = (typeof STRATEGIES)[number];
