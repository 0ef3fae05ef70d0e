import { DATABASE_LOGINS, type DatabaseLogin, loginSecret } from './names.ts';

/** As in the embedded server, so that a dump of one fits the other. */
export const DATABASE_SUPERUSER = 'calculaud';
export const DATABASE_NAME = 'calculaud';

export function loginName(login: DatabaseLogin): string {
  return `calculaud_${login}`;
}

/** The secret of a login is the URL that its processes connect with. */
export function databaseUrl(login: DatabaseLogin, password: string, host: string): string {
  return `postgresql://${loginName(login)}:${password}@${host}:5432/${DATABASE_NAME}`;
}

/**
 * Runs once, on an empty data folder, before anybody can connect: makes the logins and the database of the application.
 * The passwords are read by psql itself from the secrets, so they are in no list of processes and in no log.
 */
export function databaseRolesScript(): string {
  return `# Written by \`calculaud\`: the logins of Calculaud, and its database. Sourced by the image's entrypoint.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
set log_min_error_statement = panic;
${DATABASE_LOGINS.map(createLogin).join('\n')}
create database ${DATABASE_NAME} owner ${loginName('owner')};
revoke all on database ${DATABASE_NAME} from public;
grant connect on database ${DATABASE_NAME} to ${DATABASE_LOGINS.filter((login) => login !== 'owner')
    .map(loginName)
    .join(', ')};
\\connect ${DATABASE_NAME}
create extension if not exists pg_stat_statements;
grant execute on function pg_create_restore_point(text), pg_switch_wal() to ${loginName('backup')};
grant pg_read_all_stats to ${loginName('backup')};
SQL
`;
}

/**
 * Who may connect, instead of the list that lies in the data folder, so that older ones get it, too: as the image does it, and
 * the login of backups for the log, from the network of the database alone.
 */
export function databaseAccess(): string {
  return `# Written by \`calculaud\`.
local all all trust
host all all 127.0.0.1/32 trust
host all all ::1/128 trust
host replication ${loginName('backup')} samenet scram-sha-256
host all all all scram-sha-256
`;
}

/** A backup reads the log of the server; nobody else does. */
function createLogin(login: DatabaseLogin): string {
  const secret = `/run/secrets/${loginSecret(login)}`;
  return `\\set password \`sed -n 's#^postgresql://[^:/@]*:\\([^@]*\\)@.*#\\1#p' ${secret}\`
create role ${loginName(login)} login nosuperuser nocreatedb nocreaterole ${login === 'backup' ? 'replication' : 'noreplication'} password :'password';`;
}
