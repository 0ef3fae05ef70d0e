import type { Problem } from './problem.ts';
import { isLocal, isProduction } from './production.ts';
import type { EffectiveSettings } from './defaults.ts';
import { isLoopback } from './loopback.ts';

/** What settings, each of them valid alone, must fulfil together. */
export function contradictions(settings: EffectiveSettings): Problem[] {
  const production = isProduction(settings.ENVIRONMENT);
  const problems: Problem[] = [];
  const refuse = (name: keyof EffectiveSettings, problem: string, expected: string): void => {
    problems.push({ name, problem, expected });
  };

  if (settings.BYPASS_AUTH && !isLocal(settings.ENVIRONMENT)) {
    refuse(
      'BYPASS_AUTH',
      `would let everybody in as an administrator where ENVIRONMENT is ${settings.ENVIRONMENT}`,
      'false, or ENVIRONMENT=development, test or local',
    );
  }
  if (settings.BYPASS_AUTH && !isLoopback(settings.HOST)) {
    refuse(
      'BYPASS_AUTH',
      `would let everybody who reaches ${settings.HOST} in as an administrator`,
      'false, or HOST=127.0.0.1',
    );
  }

  if (settings.AUTH_JWKS_URL && !settings.AUTH_ISSUER) {
    refuse('AUTH_ISSUER', 'is missing, but AUTH_JWKS_URL is given', 'the issuer that tokens must name');
  }
  if (settings.AUTH_ISSUER && !settings.AUTH_JWKS_URL) {
    refuse(
      'AUTH_JWKS_URL',
      'is missing, but AUTH_ISSUER is given',
      "the address of the issuer's signing keys",
    );
  }
  for (const name of ['AUTH_JWKS_URL', 'AUTH_TOKEN_ENDPOINT_URL'] as const) {
    if (production && settings[name]?.toLowerCase().startsWith('http:')) {
      refuse(
        name,
        'is not encrypted: whoever listens in could forge or steal tokens',
        'https:// in production',
      );
    }
  }

  if (settings.CALCULAUD_BACKUP_SYNCHRONOUS && !settings.CALCULAUD_BACKUP) {
    refuse(
      'CALCULAUD_BACKUP_SYNCHRONOUS',
      'is on, and CALCULAUD_BACKUP is off: everything would wait for somebody who never comes',
      'both on, or off',
    );
  }
  if (settings.CALCULAUD_BACKUP_SYNCHRONOUS && settings.DATABASE_URL) {
    refuse(
      'CALCULAUD_BACKUP_SYNCHRONOUS',
      'is for the embedded PostgreSQL, and DATABASE_URL is given',
      "off; at a server of your own set synchronous_standby_names = 'calculaud_wal'",
    );
  }
  if (!settings.CALCULAUD_BACKUP_S3_ACCESS_KEY_ID !== !settings.CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY) {
    const [given, missing] = settings.CALCULAUD_BACKUP_S3_ACCESS_KEY_ID
      ? (['CALCULAUD_BACKUP_S3_ACCESS_KEY_ID', 'CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY'] as const)
      : (['CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY', 'CALCULAUD_BACKUP_S3_ACCESS_KEY_ID'] as const);
    refuse(missing, `is missing, but ${given} is given`, 'both or neither');
  }
  if (settings.CALCULAUD_BACKUP_ENGINE === 'pgbackrest') {
    if (!settings.CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE) {
      refuse(
        'CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE',
        'is missing, but CALCULAUD_BACKUP_ENGINE is pgbackrest, whose backups are encrypted',
        'a long random text, kept where the server is not',
      );
    }
    if (settings.CALCULAUD_BACKUP_REPOSITORIES?.length !== 1) {
      refuse(
        'CALCULAUD_BACKUP_REPOSITORIES',
        'must name the repository of pgBackRest, in which nothing of ours lies',
        'one folder or bucket',
      );
    }
    if (settings.CALCULAUD_BACKUP) {
      refuse(
        'CALCULAUD_BACKUP',
        'is on, but the service that it starts makes native backups only',
        'off with CALCULAUD_BACKUP_ENGINE=pgbackrest, and a timer that runs calculaud backup create',
      );
    }
  }
  if (settings.AWS_ACCESS_KEY_ID && !settings.AWS_SECRET_ACCESS_KEY) {
    refuse('AWS_SECRET_ACCESS_KEY', 'is missing, but AWS_ACCESS_KEY_ID is given', 'both or neither');
  }
  if (settings.AWS_SECRET_ACCESS_KEY && !settings.AWS_ACCESS_KEY_ID) {
    refuse('AWS_ACCESS_KEY_ID', 'is missing, but AWS_SECRET_ACCESS_KEY is given', 'both or neither');
  }

  if (settings.CALCULAUD_CORS_ORIGINS.includes('*') && settings.CALCULAUD_CORS_ORIGINS.length > 1) {
    refuse('CALCULAUD_CORS_ORIGINS', 'has * beside others', '* alone, or a list of origins');
  }

  const [notice, drain] = [settings.CALCULAUD_DRAIN_NOTICE_MS, settings.CALCULAUD_DRAIN_TIMEOUT_MS];
  if (notice > drain) {
    refuse(
      'CALCULAUD_DRAIN_NOTICE_MS',
      `is ${notice}, above CALCULAUD_DRAIN_TIMEOUT_MS, which is ${drain} and includes it`,
      `at most ${drain}`,
    );
  }

  const [size, most] = [settings.DEFAULT_PAGE_SIZE, settings.MAX_PAGE_SIZE];
  if (size > most) {
    refuse('DEFAULT_PAGE_SIZE', `is ${size}, above MAX_PAGE_SIZE, which is ${most}`, `at most ${most}`);
  }
  if (
    settings.PORT !== 0 &&
    settings.PORT === settings.MANAGEMENT_PORT &&
    settings.HOST === settings.CALCULAUD_MANAGEMENT_HOST
  ) {
    refuse('MANAGEMENT_PORT', `is ${settings.PORT}, like PORT`, 'another port');
  }
  return problems;
}
