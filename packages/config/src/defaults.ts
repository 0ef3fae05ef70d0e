import { isProduction } from './production.ts';
import type { SettingName, Settings } from './schema.ts';

/** A default that depends on other settings, and the reason to show beside it. */
interface Default<T> {
  readonly value: T;
  readonly because: string;
}

/** The defaults that one setting takes from others. */
export function dependentDefaults(settings: Settings, isGiven: (name: SettingName) => boolean) {
  const production = isProduction(settings.ENVIRONMENT);
  const byEnvironment = production ? 'production' : 'not production';
  const storeName = (['S3_BUCKET_NAME', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const).find(isGiven);
  const [usualPage, largestPage] = [100, settings.MAX_PAGE_SIZE];
  const [usualNotice, longestNotice] = [250, settings.CALCULAUD_DRAIN_TIMEOUT_MS];
  return {
    LOG_LEVEL: settings.DEBUG ? because('debug', 'DEBUG is on') : because('info', ''),
    DEFAULT_PAGE_SIZE:
      largestPage < usualPage ? because(largestPage, 'MAX_PAGE_SIZE') : because(usualPage, ''),
    CALCULAUD_DRAIN_NOTICE_MS:
      longestNotice < usualNotice
        ? because(longestNotice, 'CALCULAUD_DRAIN_TIMEOUT_MS')
        : because(usualNotice, ''),
    CALCULAUD_DOCS: because(!production, byEnvironment),
    CALCULAUD_CORS_ORIGINS: because(production ? [] : ['*'], byEnvironment),
    CALCULAUD_FILES: storeName ? because('s3', `${storeName} is given`) : because('local', ''),
    CALCULAUD_MIGRATION_DATABASE_URL: because(settings.DATABASE_URL, 'DATABASE_URL'),
    CALCULAUD_WORKER_DATABASE_URL: because(settings.DATABASE_URL, 'DATABASE_URL'),
    CALCULAUD_BACKUP: settings.DATABASE_URL
      ? because(false, 'DATABASE_URL is given')
      : because(true, 'the embedded PostgreSQL'),
    CALCULAUD_BACKUP_DATABASE_URL: because(settings.DATABASE_URL, 'DATABASE_URL'),
  } as const satisfies { [Name in SettingName]?: Default<Settings[Name]> };
}

function because<const T>(value: T, reason: string): Default<T> {
  return { value, because: reason };
}

/** Fills the dependent defaults in where a setting is not given. */
export function withDefaults(settings: Settings, defaults: ReturnType<typeof dependentDefaults>) {
  return {
    ...settings,
    LOG_LEVEL: settings.LOG_LEVEL ?? defaults.LOG_LEVEL.value,
    DEFAULT_PAGE_SIZE: settings.DEFAULT_PAGE_SIZE ?? defaults.DEFAULT_PAGE_SIZE.value,
    CALCULAUD_DRAIN_NOTICE_MS: settings.CALCULAUD_DRAIN_NOTICE_MS ?? defaults.CALCULAUD_DRAIN_NOTICE_MS.value,
    CALCULAUD_DOCS: settings.CALCULAUD_DOCS ?? defaults.CALCULAUD_DOCS.value,
    CALCULAUD_CORS_ORIGINS: settings.CALCULAUD_CORS_ORIGINS ?? defaults.CALCULAUD_CORS_ORIGINS.value,
    CALCULAUD_FILES: settings.CALCULAUD_FILES ?? defaults.CALCULAUD_FILES.value,
    CALCULAUD_MIGRATION_DATABASE_URL:
      settings.CALCULAUD_MIGRATION_DATABASE_URL ?? defaults.CALCULAUD_MIGRATION_DATABASE_URL.value,
    CALCULAUD_WORKER_DATABASE_URL:
      settings.CALCULAUD_WORKER_DATABASE_URL ?? defaults.CALCULAUD_WORKER_DATABASE_URL.value,
    CALCULAUD_BACKUP: settings.CALCULAUD_BACKUP ?? defaults.CALCULAUD_BACKUP.value,
    CALCULAUD_BACKUP_DATABASE_URL:
      settings.CALCULAUD_BACKUP_DATABASE_URL ?? defaults.CALCULAUD_BACKUP_DATABASE_URL.value,
  };
}

/** All settings, dependent defaults filled in. */
export type EffectiveSettings = ReturnType<typeof withDefaults>;
