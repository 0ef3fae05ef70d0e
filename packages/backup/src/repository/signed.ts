import { sign, verify } from 'node:crypto';
import { z } from 'zod';
import type { KeyRing } from './keyring.ts';
import { BackupProblem } from './problem.ts';

const envelope = z.strictObject({ content: z.string(), signature: z.base64() });

/** A record with our signature over its place and its bytes, so that it cannot be moved or altered by who has the store. */
export function signed({ signingKey }: KeyRing, key: string, record: unknown): Buffer {
  const content = JSON.stringify(record);
  const signature = sign(null, Buffer.from(`${key}\0${content}`), signingKey).toString('base64');
  return Buffer.from(JSON.stringify({ content, signature }));
}

/** The record; 'corrupt' when it is none, or was signed by somebody else. */
export function opened({ verifyingKey }: KeyRing, key: string, bytes: Buffer): unknown {
  let parsed: z.output<typeof envelope>;
  try {
    parsed = envelope.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw new BackupProblem('corrupt', `The record ${key} is damaged.`, { object: key, cause: error });
  }
  const valid = verify(
    null,
    Buffer.from(`${key}\0${parsed.content}`),
    verifyingKey,
    Buffer.from(parsed.signature, 'base64'),
  );
  if (!valid)
    throw new BackupProblem('corrupt', `The record ${key} is not signed by this system.`, { object: key });
  const record: unknown = JSON.parse(parsed.content);
  return record;
}
