import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import {
  boolean,
  host,
  hosts,
  integer,
  number,
  oneOf,
  origins,
  port,
  positiveDecimal,
  postgresUrl,
  proxies,
  publicUrl,
  repositories,
  rules,
  secret,
  signatureAlgorithms,
  text,
  timeZone,
  urlPath,
  webUrl,
} from './readers.ts';

/** What is known about a setting beside its type. */
interface About {
  readonly description: string;
  /** `value`: never shown. `url`: shown without its password. Both can also be given as a file by `NAME_FILE`. */
  readonly secret?: 'value' | 'url';
  /** The name is v1's (contract 4.3); v1 read it in any case, so that `database_url` works too. */
  readonly v1?: true;
}

const about = z.registry<About>();

/** The settings of Calculaud: every variable of the environment that is ever read, in the order they are shown. */
export const schema = z.object({
  APP_NAME: text.default('Procurement Management System').register(about, {
    description: 'Name of the system, shown in /, /health and the API documents',
    v1: true,
  }),
  VERSION: text
    .default(packageJson.version)
    .register(about, { description: 'Version shown in /, /health and the API documents', v1: true }),
  CALCULAUD_COMMIT: text.optional().register(about, {
    description: 'Commit that this was built from, shown by health on the management port; images set it',
  }),
  ENVIRONMENT: text.default('development').register(about, {
    description: 'Name of this environment; production (or prod) switches the strict rules on',
    v1: true,
  }),
  DEBUG: boolean
    .default(false)
    .register(about, { description: 'Log more: LOG_LEVEL is debug unless it is given', v1: true }),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    warning: 'warn',
    critical: 'fatal',
  })
    .optional()
    .register(about, { description: 'Lowest level that is logged: info, or debug with DEBUG' }),

  HOST: host.default('127.0.0.1').register(about, { description: 'Address that the server listens on' }),
  PORT: port.default(8000).register(about, { description: 'Port of the application; 0 is any free one' }),
  CALCULAUD_PUBLIC_URL: publicUrl.optional().register(about, {
    description:
      'Address by which clients reach the application, for links to files: that of each request when left out',
  }),
  CALCULAUD_ALLOWED_HOSTS: hosts.optional().register(about, {
    description:
      'Names by which the API may be called (the Host of requests, without port): any when left out',
  }),
  API_V1_PREFIX: urlPath.default('/api/v1').register(about, { description: 'Path of the v1 API', v1: true }),
  DEFAULT_PAGE_SIZE: integer(1, 10_000)
    .optional()
    .register(about, { description: 'Rows of a page when the client names no limit', v1: true }),
  MAX_PAGE_SIZE: integer(1, 10_000)
    .default(200)
    .register(about, { description: 'Most rows of a page that a client may ask for', v1: true }),
  CALCULAUD_DOCS: boolean
    .optional()
    .register(about, { description: 'Serve /docs and /openapi.json: on, but off in production' }),
  CALCULAUD_CORS_ORIGINS: origins.optional().register(about, {
    description:
      'Origins whose browsers may call the API: any (without credentials), but none in production; listed ones may send credentials',
  }),
  CALCULAUD_TRUSTED_PROXIES: proxies
    .default([])
    .register(about, { description: 'Proxies whose X-Forwarded-* headers are believed' }),
  CALCULAUD_DRAIN_TIMEOUT_MS: integer(0, 3_600_000).default(10_000).register(about, {
    description:
      'Longest time from the signal to stop to the end, in milliseconds: uploads, exports and jobs get all of it, other requests 10 s',
  }),
  CALCULAUD_DRAIN_NOTICE_MS: integer(0, 600_000).optional().register(about, {
    description:
      'How long a server that stops goes on accepting requests, in milliseconds, so that a load balancer notices first: two of its checks and some more; 250 without one',
  }),
  CALCULAUD_MANAGEMENT_HOST: host
    .default('127.0.0.1')
    .register(about, { description: 'Address of the management port (health)' }),
  MANAGEMENT_PORT: port.default(9090).register(about, { description: 'Port for health; 0 is any free one' }),

  CALCULAUD_API_TOKEN: text.optional().register(about, {
    description: 'Token that `calculaud journey` and `calculaud probe` sign in with',
    secret: 'value',
  }),
  CALCULAUD_DATA: text
    .default('./data')
    .register(about, { description: 'Folder of the embedded PostgreSQL, local files and generated secrets' }),
  DATABASE_URL: postgresUrl.optional().register(about, {
    description: 'PostgreSQL to use; the embedded one when left out',
    secret: 'url',
    v1: true,
  }),
  CALCULAUD_MIGRATION_DATABASE_URL: postgresUrl.optional().register(about, {
    description: 'Connection of the schema owner, for migrations: DATABASE_URL',
    secret: 'url',
  }),
  CALCULAUD_WORKER_DATABASE_URL: postgresUrl.optional().register(about, {
    description: 'Direct connection for background jobs (not through a pooler): DATABASE_URL',
    secret: 'url',
  }),
  CALCULAUD_POOL_SIZE: integer(1, 1000)
    .default(10)
    .register(about, { description: 'Database connections of one server process' }),
  CALCULAUD_STATEMENT_TIMEOUT_MS: integer(0, 3_600_000).default(30_000).register(about, {
    description: 'Longest run of one SQL statement, in milliseconds; 0 is no limit',
  }),

  CALCULAUD_BACKUP: boolean.optional().register(about, {
    description: 'Back the database and the files up all the time: on with the embedded PostgreSQL, else off',
  }),
  CALCULAUD_BACKUP_ENGINE: oneOf(['native', 'pgbackrest']).default('native').register(about, {
    description:
      'What calculaud backup and restore work with: native, or the pgBackRest of a server on the same machine',
  }),
  CALCULAUD_BACKUP_REPOSITORIES: repositories.optional().register(about, {
    description:
      'Where backups go, each a folder or a bucket: the folder backups of CALCULAUD_DATA; add one on another machine',
  }),
  CALCULAUD_BACKUP_DATABASE_URL: postgresUrl.optional().register(about, {
    description:
      'Direct connection (not through a pooler) of a role with REPLICATION that may read everything: DATABASE_URL',
    secret: 'url',
  }),
  CALCULAUD_BACKUP_KEYS: text.optional().register(about, {
    description: 'File with the keys of the repositories: backup.keys in CALCULAUD_DATA',
  }),
  CALCULAUD_BACKUP_S3_ACCESS_KEY_ID: text.optional().register(about, {
    description: 'Key of the buckets for backups; the usual AWS places are searched when left out',
    secret: 'value',
  }),
  CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY: text.optional().register(about, {
    description: 'Secret that belongs to CALCULAUD_BACKUP_S3_ACCESS_KEY_ID',
    secret: 'value',
  }),
  CALCULAUD_BACKUP_SYNCHRONOUS: boolean.default(false).register(about, {
    description:
      'Acknowledge nothing before the backup service has it on its disk, too: loses nothing with the folder of the database',
  }),
  // Less than some segments of 16 MiB would stop the log at every breath of a repository.
  CALCULAUD_BACKUP_SPOOL_GB: number(0.1, 10_000).default(4).register(about, {
    description:
      'Most log that waits on this machine for repositories that cannot be used, in GiB: then the oldest goes that another one has',
  }),
  CALCULAUD_BACKUP_KEEP_DAYS: integer(1, 3660)
    .default(14)
    .register(about, { description: 'Days of which every second can be restored' }),
  CALCULAUD_BACKUP_KEEP_DAILY: integer(0, 1000)
    .default(14)
    .register(about, { description: 'Days of which one backup is kept' }),
  CALCULAUD_BACKUP_KEEP_WEEKLY: integer(0, 1000)
    .default(8)
    .register(about, { description: 'Weeks of which one backup is kept' }),
  CALCULAUD_BACKUP_KEEP_MONTHLY: integer(0, 1000)
    .default(12)
    .register(about, { description: 'Months of which one backup is kept' }),
  CALCULAUD_BACKUP_KEEP_YEARLY: integer(0, 1000)
    .default(7)
    .register(about, { description: 'Years of which one backup is kept' }),
  CALCULAUD_BACKUP_PING_URL: webUrl.optional().register(about, {
    description:
      "A dead man's switch on another machine: asked for every five minutes while backups are well, so that its silence alarms",
    secret: 'value',
  }),
  CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE: text.optional().register(about, {
    description: 'Encrypts what pgBackRest writes; nobody can read its backups without it',
    secret: 'value',
  }),
  CALCULAUD_BACKUP_PGBACKREST_PROCESSES: integer(1, 64).default(2).register(about, {
    description: 'Processes of pgBackRest that compress and encrypt beside each other',
  }),

  BYPASS_AUTH: boolean.default(false).register(about, {
    description:
      'Everybody is a local administrator; on loopback only, and where ENVIRONMENT is development, test or local',
    v1: true,
  }),
  AUTH_JWKS_URL: webUrl
    .optional()
    .register(about, { description: "Signing keys of the identity provider's tokens", v1: true }),
  AUTH_ISSUER: text
    .optional()
    .register(about, { description: 'Issuer (iss) that a token must name', v1: true }),
  AUTH_AUDIENCE: text
    .optional()
    .register(about, { description: 'Audience (aud) that a token must name', v1: true }),
  AUTH_ALGORITHM: signatureAlgorithms
    .default(['RS256'])
    .register(about, { description: 'Signature algorithms that are accepted', v1: true }),
  AUTH_TOKEN_ENDPOINT_URL: webUrl.optional().register(about, {
    description: 'Token endpoint of the identity provider, behind /auth/token',
    v1: true,
  }),
  AUTH_OIDC_URL: webUrl.optional().register(about, {
    description: 'Accepted for v1, without effect: the API documents page does not sign in',
    v1: true,
  }),
  ROLE_CLAIM_PATH: text.default('role').register(about, {
    description: 'Claim that holds the roles; a flat name, not a dotted path',
    v1: true,
  }),
  ADMIN_ROLE: text.default('calAdmins').register(about, { description: 'Role of administrators', v1: true }),
  USER_ROLE: text.default('calUsers').register(about, { description: 'Role of readers', v1: true }),
  OAUTH_CLIENT_ID: text
    .optional()
    .register(about, { description: 'Accepted for v1, without effect, like AUTH_OIDC_URL', v1: true }),
  OAUTH_SCOPES: text
    .default('openid')
    .register(about, { description: 'Accepted for v1, without effect, like AUTH_OIDC_URL', v1: true }),

  CALCULAUD_FILES: oneOf(['local', 's3']).optional().register(about, {
    description:
      'Where files are kept: s3 when a bucket or AWS keys are given, else local (below CALCULAUD_DATA)',
  }),
  // The column for sizes is a 32-bit integer.
  MAX_FILE_SIZE_MB: integer(1, 2047)
    .default(1024)
    .register(about, { description: 'Largest file that may be uploaded, in MiB', v1: true }),
  CALCULAUD_SIGNING_SECRET: secret(32).optional().register(about, {
    description:
      'Signs links to files; kept in CALCULAUD_DATA when left out, to be set when there are several servers',
    secret: 'value',
  }),
  CALCULAUD_SIGNED_URL_TTL_SECONDS: integer(1, 604_800)
    .default(3600)
    .register(about, { description: 'How long a link to a file works, in seconds' }),
  S3_BUCKET_NAME: text
    .default('calculaud-files')
    .register(about, { description: 'Bucket for files', v1: true }),
  S3_KEY_PREFIX: text
    .default('files/')
    .register(about, { description: 'Start of the key of every file', v1: true }),
  S3_ENDPOINT_URL: webUrl
    .optional()
    .register(about, { description: 'Endpoint of an S3-compatible store other than AWS', v1: true }),
  S3_BUCKET_URL: webUrl.optional().register(about, {
    description:
      'Accepted for v1, without effect: links to files are signed by us, and the bucket can be private',
    v1: true,
  }),
  S3_USE_SSL: boolean.default(true).register(about, {
    description:
      'Accepted for v1, without effect: the scheme of S3_ENDPOINT_URL decides, and AWS is asked by TLS',
    v1: true,
  }),
  S3_STORAGE_CLASS: text
    .optional()
    .register(about, { description: 'Storage class of uploaded objects', v1: true }),
  AWS_REGION: text.optional().register(about, { description: 'Region of the bucket', v1: true }),
  AWS_ACCESS_KEY_ID: text.optional().register(about, {
    description: 'Key of the store; the usual AWS places are searched when left out',
    secret: 'value',
    v1: true,
  }),
  AWS_SECRET_ACCESS_KEY: text
    .optional()
    .register(about, { description: 'Secret that belongs to AWS_ACCESS_KEY_ID', secret: 'value', v1: true }),

  CALCULAUD_TIMEZONE: timeZone.default('UTC').register(about, {
    description: "The organisation's time zone: what counts as today",
  }),
  CALCULAUD_LEGACY_TZ: timeZone.default('UTC').register(about, {
    description: "Time zone in which a predecessor's database recorded its times, for the takeover",
  }),
  USD_TO_ILS_RATE: positiveDecimal
    .default('3.7')
    .register(about, { description: 'Rate from dollars to shekels until a dated rate is entered', v1: true }),
  CALCULAUD_AUTO_FLAG_DAYS: integer(1, 3650).default(10).register(about, {
    description:
      'Days without progress after which a purpose is flagged, where the stage type says nothing else',
  }),
  CALCULAUD_RULES: rules.default([]).register(about, {
    description:
      'Rules stricter than those of v1: strict for all, or some of value-required, stage-order, status-follows-stages, services-of-type, hierarchy-rank',
  }),
  CALCULAUD_DEMO: boolean
    .default(true)
    .register(about, { description: 'Fill an empty embedded database with a demonstration organisation' }),
});

/** The settings by their names, read and valid one by one. */
export type Settings = z.infer<typeof schema>;

export type SettingName = keyof typeof schema.shape;

/** Description, secrecy and origin of one setting. */
export function aboutSetting(name: SettingName): About {
  const known = about.get(schema.shape[name]);
  if (!known) throw new Error(`The setting ${name} is not described`);
  return known;
}

export const settingNames: readonly SettingName[] = schema.keyof().options;
