import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { postgresUrl } from '@calculaud/config/readers';
import { selfSignedCertificate } from '@calculaud/config/self-signed';
import type { EnvironmentConfig } from '../../environment/schema.ts';
import { databaseUrl } from '../../stack/database-logins.ts';
import { DATABASE_LOGINS, loginSecret, SECRETS, type SecretName, SERVICES } from '../../stack/names.ts';
import type { NeededSecret } from '../../stack/secrets.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';

export type Contents = ReadonlyMap<SecretName, string>;

/** Reads what `--secret name=file` names. The content is in no argument and no message. */
export function givenContents(pairs: readonly string[], { domain }: EnvironmentConfig): Contents {
  return new Map(
    pairs.map((pair) => {
      const [, name, file] = /^([^=]+)=(.+)$/s.exec(pair) ?? [];
      const secret = SECRETS.find((known) => known === name);
      if (secret === undefined || file === undefined) {
        throw refused(
          `--secret ${pair.split('=')[0] ?? ''} is not known.`,
          `Use name=file with one of ${SECRETS.join(', ')}.`,
        );
      }
      let content: string;
      try {
        content = readFileSync(file, 'utf8').trim();
      } catch (error) {
        throw refused(
          `The file ${file} of --secret ${secret} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
          '',
        );
      }
      const problem = problemWith(secret, content, domain);
      if (problem !== undefined) throw refused(`${file}, given for the secret ${secret}, ${problem}.`, '');
      return [secret, content];
    }),
  );
}

/** Makes those that are to be generated. The URLs of one login share their password. */
export function generatedContents(
  config: EnvironmentConfig,
  secrets: readonly NeededSecret[],
  backupKeys: string,
): Contents {
  const all = new Map<SecretName, () => string>([
    ['database-superuser', password],
    ...DATABASE_LOGINS.map(
      (login) => [loginSecret(login), () => databaseUrl(login, passwords[login], SERVICES.database)] as const,
    ),
    ['database-app-pooled', () => databaseUrl('app', passwords.app, SERVICES.pooler)],
    ['signing-secret', password],
    ['tls', () => certificate(config.domain)],
    ['s3-access-key-id', () => randomBytes(10).toString('hex').toUpperCase()],
    ['s3-secret-access-key', password],
    ['backup-keys', () => backupKeys],
  ]);
  const passwords = {
    owner: password(),
    app: password(),
    worker: password(),
    backup: password(),
    readonly: password(),
  };
  return new Map(
    secrets.map(({ secret }) => {
      const make = all.get(secret);
      if (make === undefined) throw new Error(`Nobody knows how to make the secret ${secret}`);
      return [secret, make()];
    }),
  );
}

/** 256 bits, in characters that need no escaping in a URL. */
function password(): string {
  return randomBytes(32).toString('base64url');
}

function certificate(domain: string): string {
  const { cert, key } = selfSignedCertificate({ hosts: [domain, 'localhost', '127.0.0.1'], days: 825 });
  return cert + key;
}

function problemWith(secret: SecretName, content: string, domain: string): string | undefined {
  if (content === '') return 'is empty';
  if (secret === 'tls') return problemWithCertificate(content, domain);
  if (secret === 'signing-secret') {
    return content.length < 32 ? 'is shorter than 32 characters' : undefined;
  }
  const isUrl = secret.startsWith('database-') && secret !== 'database-superuser';
  const { error } = postgresUrl.safeParse(content);
  return isUrl && error ? `does not hold ${error.issues[0]?.message ?? 'a URL'}` : undefined;
}

function problemWithCertificate(content: string, domain: string): string | undefined {
  if (!content.includes('PRIVATE KEY-----'))
    return 'holds no private key (the chain and the key, one PEM file)';
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(content);
  } catch {
    return 'holds no certificate (the chain and the key, one PEM file)';
  }
  if (new Date(parsed.validTo) < new Date()) return `has expired on ${parsed.validTo}`;
  if (parsed.checkHost(domain) === undefined) {
    return `is for ${parsed.subjectAltName ?? parsed.subject}, not for ${domain}`;
  }
  return undefined;
}

function refused(message: string, hint: string): CliError {
  return new CliError(`${message} Nothing was changed.`, hint, EXIT.refused);
}
