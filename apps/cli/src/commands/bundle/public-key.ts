import type { KeyObject } from 'node:crypto';
import { readPublicKey } from '../../bundle/signature.ts';
import type { EnvironmentConfig } from '../../environment/schema.ts';
import { publicKeyFrom } from '../../host/key-file.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';

/** By which key a bundle is judged: the one that is named, else the one that the environment knows. */
export async function trustedKey(
  named: string | undefined,
  config: EnvironmentConfig | undefined,
): Promise<KeyObject> {
  if (named !== undefined) return publicKeyFrom(named);
  if (config?.offline) return readPublicKey(config.offline.key, 'offline.key of calculaud.yml');
  throw new CliError(
    'Whose bundle it should be is not known: neither --key nor offline.key of calculaud.yml names a public key.',
    'Ask those who made the bundle for their public key, on another way than the bundle came.',
    EXIT.refused,
  );
}
