import { join, resolve } from 'node:path';
import type { EffectiveSettings } from './defaults.ts';
import { isProduction } from './production.ts';
import { chosenRules } from './stricter-rules.ts';

/** The whole configuration, grouped by what it is about. Built once at the start and handed down. */
export type Config = ReturnType<typeof group>;

/** Gives the settings the shape that the code uses, with the defaults that depend on other settings. */
export function group(settings: EffectiveSettings) {
  const production = isProduction(settings.ENVIRONMENT);
  const dataDirectory = resolve(settings.CALCULAUD_DATA);
  return {
    app: {
      name: settings.APP_NAME,
      version: settings.VERSION,
      /** undefined: a checkout, or an image that does not say. */
      commit: settings.CALCULAUD_COMMIT,
      environment: settings.ENVIRONMENT,
      production,
      debug: settings.DEBUG,
    },
    log: { level: settings.LOG_LEVEL },
    http: {
      host: settings.HOST,
      port: settings.PORT,
      /** undefined: links lead to where the request came in. Does not end with a slash. */
      publicUrl: settings.CALCULAUD_PUBLIC_URL,
      /** Lower case; empty: any. */
      allowedHosts: settings.CALCULAUD_ALLOWED_HOSTS ?? [],
      /** Starts with a slash and does not end with one. */
      prefix: settings.API_V1_PREFIX,
      docs: settings.CALCULAUD_DOCS,
      cors: corsOf(settings.CALCULAUD_CORS_ORIGINS),
      trustedProxies: settings.CALCULAUD_TRUSTED_PROXIES,
      drainTimeoutMs: settings.CALCULAUD_DRAIN_TIMEOUT_MS,
      drainNoticeMs: settings.CALCULAUD_DRAIN_NOTICE_MS,
    },
    management: { host: settings.CALCULAUD_MANAGEMENT_HOST, port: settings.MANAGEMENT_PORT },
    client: { token: settings.CALCULAUD_API_TOKEN },
    paging: { defaultSize: settings.DEFAULT_PAGE_SIZE, maxSize: settings.MAX_PAGE_SIZE },
    data: { directory: dataDirectory },
    database: {
      /** undefined: the embedded PostgreSQL of the data directory. */
      url: settings.DATABASE_URL,
      migrationUrl: settings.CALCULAUD_MIGRATION_DATABASE_URL,
      workerUrl: settings.CALCULAUD_WORKER_DATABASE_URL,
      poolSize: settings.CALCULAUD_POOL_SIZE,
      /** 0: no limit. */
      statementTimeoutMs: settings.CALCULAUD_STATEMENT_TIMEOUT_MS,
    },
    backup: backupOf(settings, dataDirectory),
    auth: {
      bypass: settings.BYPASS_AUTH,
      /** undefined: bearer tokens of an identity provider are not accepted. */
      oidc:
        settings.AUTH_JWKS_URL && settings.AUTH_ISSUER
          ? {
              jwksUrl: settings.AUTH_JWKS_URL,
              issuer: settings.AUTH_ISSUER,
              audience: settings.AUTH_AUDIENCE,
              algorithms: settings.AUTH_ALGORITHM,
            }
          : undefined,
      tokenEndpointUrl: settings.AUTH_TOKEN_ENDPOINT_URL,
      roleClaim: settings.ROLE_CLAIM_PATH,
      adminRole: settings.ADMIN_ROLE,
      userRole: settings.USER_ROLE,
    },
    files: {
      store: storeOf(settings, dataDirectory),
      maxBytes: settings.MAX_FILE_SIZE_MB * 1024 * 1024,
      maxMegabytes: settings.MAX_FILE_SIZE_MB,
      /** undefined: the server keeps a random one in the data directory. */
      signingSecret: settings.CALCULAUD_SIGNING_SECRET,
      signedUrlTtlSeconds: settings.CALCULAUD_SIGNED_URL_TTL_SECONDS,
    },
    organisation: {
      timeZone: settings.CALCULAUD_TIMEZONE,
      /** The zone of the times in a predecessor's database. */
      legacyTimeZone: settings.CALCULAUD_LEGACY_TZ,
      /** A decimal number as text, because it multiplies money. */
      usdToIlsRate: settings.USD_TO_ILS_RATE,
      autoFlagDays: settings.CALCULAUD_AUTO_FLAG_DAYS,
      /** Those beyond v1's. */
      rules: chosenRules(settings.CALCULAUD_RULES),
      demo: settings.CALCULAUD_DEMO,
    },
  };
}

/**
 * v1 let every origin in, with credentials. Nobody needs the credentials (clients send a bearer token), so any origin
 * gets none; an origin that is listed gets them. Production lets in listed origins only.
 */
function corsOf(given: readonly string[]): {
  readonly origins: 'any' | readonly string[];
  readonly credentials: boolean;
} {
  return given.includes('*') ? { origins: 'any', credentials: false } : { origins: given, credentials: true };
}

function backupOf(settings: EffectiveSettings, dataDirectory: string) {
  const {
    CALCULAUD_BACKUP_S3_ACCESS_KEY_ID: accessKeyId,
    CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY: secretAccessKey,
  } = settings;
  return {
    enabled: settings.CALCULAUD_BACKUP,
    engine: settings.CALCULAUD_BACKUP_ENGINE,
    pgBackRest: {
      passphrase: settings.CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE,
      processes: settings.CALCULAUD_BACKUP_PGBACKREST_PROCESSES,
    },
    /** Addresses of folders and buckets, at least one. */
    repositories: settings.CALCULAUD_BACKUP_REPOSITORIES?.length
      ? settings.CALCULAUD_BACKUP_REPOSITORIES
      : [join(dataDirectory, 'backups')],
    /** undefined: the embedded PostgreSQL of the data directory. */
    databaseUrl: settings.CALCULAUD_BACKUP_DATABASE_URL,
    keys: settings.CALCULAUD_BACKUP_KEYS ?? join(dataDirectory, 'backup.keys'),
    /** The log of the database on its way to the repositories, and when what was done last. */
    workFolder: join(dataDirectory, 'backup-work'),
    /** undefined: the usual AWS places are searched. */
    s3: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
    /** Whether a commit waits until its log is in the work folder, too. */
    synchronous: settings.CALCULAUD_BACKUP_SYNCHRONOUS,
    /** Bytes of log that may wait in the work folder. */
    spoolLimitBytes: settings.CALCULAUD_BACKUP_SPOOL_GB * 1024 ** 3,
    retention: {
      pointInTimeDays: settings.CALCULAUD_BACKUP_KEEP_DAYS,
      daily: settings.CALCULAUD_BACKUP_KEEP_DAILY,
      weekly: settings.CALCULAUD_BACKUP_KEEP_WEEKLY,
      monthly: settings.CALCULAUD_BACKUP_KEEP_MONTHLY,
      yearly: settings.CALCULAUD_BACKUP_KEEP_YEARLY,
    },
    /** A secret: whoever has it can keep the alarm silent. */
    pingUrl: settings.CALCULAUD_BACKUP_PING_URL,
  };
}

/** Where files are kept: a folder, or a bucket of an S3-compatible store. */
export type FileStore =
  | { readonly kind: 'local'; readonly directory: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly keyPrefix: string;
      readonly region: string | undefined;
      readonly endpoint: string | undefined;
      readonly storageClass: string | undefined;
      /** undefined: the usual AWS places (instance role, profile) are searched. */
      readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
    };

function storeOf(settings: EffectiveSettings, dataDirectory: string): FileStore {
  if (settings.CALCULAUD_FILES === 'local') {
    return { kind: 'local', directory: join(dataDirectory, 'files') };
  }
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = settings;
  return {
    kind: 's3',
    bucket: settings.S3_BUCKET_NAME,
    keyPrefix: settings.S3_KEY_PREFIX,
    region: settings.AWS_REGION,
    endpoint: settings.S3_ENDPOINT_URL,
    storageClass: settings.S3_STORAGE_CLASS,
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
  };
}
