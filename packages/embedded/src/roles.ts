import type { Client } from 'pg';
import { passwordOf } from './passwords.ts';

export const SUPERUSER = 'calculaud';
export const DATABASE = 'calculaud';

/**
 * Who may log in, and what each is besides an ordinary role. None is a superuser: what an application can be tricked into
 * must stay within its own database.
 */
const ATTRIBUTES = {
  /** Owns the database and runs the migrations. */
  owner: 'NOREPLICATION',
  app: 'NOREPLICATION',
  worker: 'NOREPLICATION',
  backup: 'REPLICATION',
  readonly: 'NOREPLICATION',
} as const;

export type DatabaseRole = keyof typeof ATTRIBUTES;

export const DATABASE_ROLES: readonly DatabaseRole[] = ['owner', 'app', 'worker', 'backup', 'readonly'];

export function roleName(role: DatabaseRole): string {
  return `calculaud_${role}`;
}

/** Creates what is missing of roles and database; run at every start, so that an older cluster gets what is new. */
export async function ensureRoles(superuser: Client, secret: string): Promise<void> {
  const { rows } = await superuser.query<{ rolname: string }>('SELECT rolname FROM pg_roles');
  const existing = new Set(rows.map((row) => row.rolname));
  for (const role of DATABASE_ROLES) {
    const name = roleName(role);
    if (existing.has(name)) continue;
    await superuser.query(
      `CREATE ROLE ${name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE ${ATTRIBUTES[role]} ` +
        `PASSWORD '${passwordOf(secret, name)}'`,
    );
  }
}

/** Of those whose commits users are told of: whether they wait for whoever receives the log. */
export async function ensureCommitsWait(superuser: Client, wait: boolean): Promise<void> {
  for (const role of [roleName('app'), roleName('worker')]) {
    const { rowCount } = await superuser.query(
      `SELECT FROM pg_roles WHERE rolname = $1 AND 'synchronous_commit=on' = ANY (rolconfig)`,
      [role],
    );
    if ((rowCount === 1) === wait) continue;
    await superuser.query(
      `ALTER ROLE ${role} ${wait ? "SET synchronous_commit = 'on'" : 'RESET synchronous_commit'}`,
    );
  }
}

/** Creates the database at the first start. */
export async function ensureDatabase(superuser: Client): Promise<void> {
  const found = await superuser.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
  if (found.rowCount !== 0) return;
  await superuser.query(`CREATE DATABASE ${DATABASE} OWNER ${roleName('owner')}`);
}

/**
 * Granted at every start, so that an older cluster gets it: what a backup calls beside reading the log: it marks a point that a drill restores to, ends a segment, and sees how far
 * others have come.
 */
export async function ensureBackupRights(superuserInDatabase: Client): Promise<void> {
  const role = roleName('backup');
  await superuserInDatabase.query(
    `GRANT EXECUTE ON FUNCTION pg_create_restore_point(text), pg_switch_wal() TO ${role};
     GRANT pg_read_all_stats TO ${role}`,
  );
}

/** Extensions that only a superuser may create. */
export async function ensureExtensions(superuserInDatabase: Client): Promise<void> {
  await superuserInDatabase.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
}
