import type { EnvironmentConfig } from '../../environment/schema.ts';
import type { ComposeMount, ComposeService } from '../compose.ts';
import { bounded, scratch, secretPath, stopFirst } from '../container.ts';
import { MANAGEMENT_PORT, NETWORKS, type SecretName } from '../names.ts';
import { placement } from '../placement.ts';
import { application, applicationSettings, DATA, secretSettings, storageSecrets } from './application.ts';

type Backup = EnvironmentConfig['backup'] & object;

/** Receives the log of the database, and keeps database and files in the repositories. */
export function backupService(config: EnvironmentConfig, backup: Backup, image: string): ComposeService {
  const container = application(config, image, ['backup'], backupSecrets(config, backup));
  return {
    ...container,
    environment: {
      ...applicationSettings(config),
      CALCULAUD_MANAGEMENT_HOST: '0.0.0.0',
      MANAGEMENT_PORT: String(MANAGEMENT_PORT),
      ...backupSettings(backup),
      ...secretSettings(config),
    },
    volumes: [
      scratch('/tmp', 256),
      // What users attached, where it is a folder; of the container's own is only what it keeps of its work.
      ...(config.storage.kind === 'local'
        ? [{ type: 'volume', source: 'files', target: DATA } as const]
        : [scratch(DATA, 16)]),
      { type: 'volume', source: 'backup', target: `${DATA}/backup-work` },
      ...folders(backup),
      ...container.volumes.filter(({ type }) => type === 'bind'),
    ],
    networks: [NETWORKS.data, NETWORKS.outside],
    stop_grace_period: '30s',
    deploy: {
      replicas: 1,
      endpoint_mode: 'dnsrr',
      // Two would take the log from each other.
      ...stopFirst('10s', 'rollback'),
      restart_policy: { condition: 'any', delay: '2s' },
      resources: bounded(config, 'backup'),
      ...placement(config, config.storage.kind === 'local' ? 'app' : 'database'),
    },
  };
}

/** What a process needs to work on the repositories: the service, and commands beside it. */
export function backupSettings({ repositories, keep }: Backup): Record<string, string> {
  return {
    CALCULAUD_BACKUP: 'on',
    CALCULAUD_BACKUP_REPOSITORIES: repositories.join(','),
    CALCULAUD_BACKUP_DATABASE_URL_FILE: secretPath('database-backup'),
    CALCULAUD_BACKUP_KEYS: secretPath('backup-keys'),
    CALCULAUD_BACKUP_KEEP_DAYS: String(keep.days),
    CALCULAUD_BACKUP_KEEP_DAILY: String(keep.daily),
    CALCULAUD_BACKUP_KEEP_WEEKLY: String(keep.weekly),
    CALCULAUD_BACKUP_KEEP_MONTHLY: String(keep.monthly),
    CALCULAUD_BACKUP_KEEP_YEARLY: String(keep.yearly),
    ...(inBuckets(repositories) && {
      CALCULAUD_BACKUP_S3_ACCESS_KEY_ID_FILE: secretPath('backup-s3-access-key-id'),
      CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY_FILE: secretPath('backup-s3-secret-access-key'),
    }),
  };
}

function backupSecrets(config: EnvironmentConfig, { repositories }: Backup): readonly SecretName[] {
  return [
    'database-backup',
    'backup-keys',
    'signing-secret',
    ...storageSecrets(config),
    ...(inBuckets(repositories) ? (['backup-s3-access-key-id', 'backup-s3-secret-access-key'] as const) : []),
  ];
}

function inBuckets(repositories: readonly string[]): boolean {
  return repositories.some((address) => address.startsWith('s3://'));
}

/** Folders of the host keep their place in the container, so that an address means the same everywhere. */
function folders({ repositories }: Backup): readonly ComposeMount[] {
  return repositories
    .filter((address) => address.startsWith('file://'))
    .map((address) => new URL(address).pathname)
    .map((path) => ({ type: 'bind', source: path, target: path }));
}
