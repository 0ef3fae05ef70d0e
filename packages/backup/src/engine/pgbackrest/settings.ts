import { join } from 'node:path';
import { parseStoreAddress } from '../../repository/open-store.ts';
import { BackupProblem } from '../../repository/problem.ts';
import type { S3Credentials } from '../../repository/s3-store.ts';

export interface PgBackRestSettings {
  /** A folder or a bucket, as for our own repositories; nothing else may lie in it. */
  readonly repository: string;
  /** Everything in it is encrypted with it. */
  readonly passphrase: string;
  readonly s3: S3Credentials | undefined;
  /** For its configuration, locks, and what waits; only its account may look into it. */
  readonly folder: string;
  /** Processes that compress and encrypt beside each other. */
  readonly processes: number;
  /** Where it is found in another place than the usual ones. */
  readonly program?: string;
}

/** The server that is backed up, on the same machine. */
export interface ServerPlace {
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

export const STANZA = 'calculaud';
export const PROGRAM = 'pgbackrest';

/** For what only reads the repository, and for the server whose log is archived. */
export const configurationOf = ({ folder }: PgBackRestSettings) => ({
  repository: join(folder, 'repository.conf'),
  server: join(folder, 'server.conf'),
});

/** It goes to a file for its owner alone: a secret on a command line could be seen by everybody on the machine. */
export function configurationText(settings: PgBackRestSettings, server?: ServerPlace): string {
  const { folder, processes, passphrase } = settings;
  const lines = {
    ...placeOf(settings),
    'repo1-cipher-type': 'aes-256-cbc',
    'repo1-cipher-pass': passphrase,
    'compress-type': 'zst',
    'process-max': `${processes}`,
    'start-fast': 'y',
    // Nothing goes before somebody has decided for how long backups are kept.
    'expire-auto': 'n',
    'lock-path': join(folder, 'lock'),
    'spool-path': join(folder, 'spool'),
    'log-path': join(folder, 'log'),
    'log-level-file': 'off',
    'log-level-console': 'off',
    'log-level-stderr': 'error',
  };
  const stanza = server && {
    'pg1-path': server.dataDirectory,
    'pg1-socket-path': server.socketDirectory,
    'pg1-port': `${server.port}`,
    'pg1-user': server.user,
    'pg1-database': server.database,
  };
  return `[global]\n${text(lines)}${stanza ? `\n[${STANZA}]\n${text(stanza)}` : ''}`;
}

/** What the server must be told, once: it cannot be set for it. */
export function archiveCommand(settings: PgBackRestSettings): string {
  return `${settings.program ?? PROGRAM} --config=${configurationOf(settings).server} --stanza=${STANZA} archive-push %p`;
}

function placeOf({ repository, s3 }: PgBackRestSettings): Record<string, string> {
  const place = parseStoreAddress(repository);
  if (place.kind === 'folder') return { 'repo1-path': place.path };
  const { bucket, prefix, endpoint, region } = place;
  if (endpoint?.startsWith('http:')) {
    throw new BackupProblem(
      'impossible',
      'pgBackRest speaks with stores over TLS only: the endpoint must begin with https://.',
    );
  }
  if (!s3) {
    throw new BackupProblem(
      'impossible',
      'pgBackRest needs the keys of the bucket: give CALCULAUD_BACKUP_S3_ACCESS_KEY_ID and CALCULAUD_BACKUP_S3_SECRET_ACCESS_KEY.',
    );
  }
  return {
    'repo1-type': 's3',
    'repo1-path': `/${prefix}`,
    'repo1-s3-bucket': bucket,
    'repo1-s3-endpoint':
      endpoint === undefined ? `s3.${region ?? 'us-east-1'}.amazonaws.com` : new URL(endpoint).host,
    'repo1-s3-region': region ?? 'us-east-1',
    'repo1-s3-uri-style': endpoint === undefined ? 'host' : 'path',
    'repo1-s3-key': s3.accessKeyId,
    'repo1-s3-key-secret': s3.secretAccessKey,
  };
}

function text(lines: Readonly<Record<string, string>>): string {
  return Object.entries(lines)
    .map(([name, value]) => {
      if (/[\r\n]/.test(value)) throw new BackupProblem('impossible', `${name} cannot hold a line break.`);
      return `${name}=${value}\n`;
    })
    .join('');
}
