import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { commandOf } from './account.ts';
import { EmbeddedPostgresError } from './failure.ts';
import { passwordOf } from './passwords.ts';
import { DATABASE_ROLES, roleName, SUPERUSER } from './roles.ts';
import type { ServerContext } from './server.ts';

/**
 * Gives all roles the passwords of this secret without logging in, by PostgreSQL's single-user mode, while no server runs.
 * Needed when the secret was lost, or the cluster comes from a backup of another data folder.
 */
export async function resetPasswords(
  { layout, binaries, account }: ServerContext,
  secret: string,
): Promise<void> {
  // The superuser comes last: while his password is wrong, the next start tries again.
  const statements = [...DATABASE_ROLES.map(roleName), SUPERUSER].map(
    (role) => `ALTER ROLE ${role} PASSWORD '${passwordOf(secret, role)}'`,
  );
  const [program, args] = commandOf(account, binaries.postgres, [
    '--single',
    '-D',
    layout.cluster,
    'postgres',
  ]);
  const child = spawn(program, args, {
    uid: account.uid,
    gid: account.gid,
    cwd: layout.cluster,
    env: binaries.environment,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const output = text(child.stderr);
  // A line is a statement here; one whose role is missing fails alone.
  child.stdin.end(`${statements.join('\n')}\n`);
  if ((await ended) === 0) return;
  const fatal = (await output).split('\n').filter((line) => line.includes('FATAL:'));
  throw new EmbeddedPostgresError(
    `The secret in ${layout.secret} is not the one with which the database ${layout.cluster} was made, and the ` +
      `passwords could not be set anew: ${fatal.join(' ')} Put the right file back, if you have it.`,
  );
}
