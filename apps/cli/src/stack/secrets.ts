import type { EnvironmentConfig } from '../environment/schema.ts';
import { fullSecretName, SECRETS, type SecretName } from './names.ts';
import { initialState, renderStack } from './render.ts';

export interface NeededSecret {
  readonly secret: SecretName;
  /** Of the Docker secret. */
  readonly name: string;
  /** `generated`: nobody has to know it. `given`: it belongs to something that is not ours. */
  readonly origin: 'generated' | 'given';
  readonly meaning: string;
}

/** The secrets of an environment, all of which have to exist before its stack does. */
export function neededSecrets(config: EnvironmentConfig): readonly NeededSecret[] {
  const mentioned = new Set(Object.keys(renderStack(config, initialState(config)).file.secrets));
  // The pooler may be switched on later, and the password is known only now.
  if (config.database.kind === 'bundled') mentioned.add('database-app-pooled');
  return SECRETS.filter((secret) => mentioned.has(secret)).map((secret) => ({
    secret,
    name: fullSecretName(config, secret, {}),
    origin: originOf(config, secret),
    meaning: MEANINGS[secret],
  }));
}

function originOf(
  { kind, database, storage }: EnvironmentConfig,
  secret: SecretName,
): NeededSecret['origin'] {
  const ours =
    secret === 'signing-secret' ||
    secret === 'backup-keys' ||
    (secret === 'tls' && kind === 'development') ||
    (secret.startsWith('s3-') && storage.kind === 'bundled-s3') ||
    (secret.startsWith('database-') && database.kind === 'bundled');
  return ours ? 'generated' : 'given';
}

const MEANINGS: Readonly<Record<SecretName, string>> = {
  'database-superuser': 'password of the superuser of the database',
  'database-owner': 'connection URL of the owner of the tables, who migrates',
  'database-app': 'connection URL of the API',
  'database-app-pooled': 'connection URL of the API through the pooler',
  'database-worker': 'connection URL of the background work',
  'database-backup': 'connection URL of backups',
  'database-readonly': 'connection URL of people who only look',
  'signing-secret': 'signs links to files',
  tls: 'certificate chain and key of the gateway in one PEM file',
  's3-access-key-id': 'key of the object store',
  's3-secret-access-key': 'secret that belongs to the key of the object store',
  'backup-keys': 'keys of the backups; the recovery kit opens them, too',
  'backup-s3-access-key-id': 'key of the buckets for backups',
  'backup-s3-secret-access-key': 'secret that belongs to the key of the buckets for backups',
  'smtp-password': 'password of the mail account',
};
