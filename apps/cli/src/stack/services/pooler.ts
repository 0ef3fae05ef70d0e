import type { EnvironmentConfig } from '../../environment/schema.ts';
import type { ComposeService } from '../compose.ts';
import { bounded, hardened, scratch, secretFiles, startFirst } from '../container.ts';
import { DATABASE_NAME, loginName } from '../database-logins.ts';
import { NETWORKS, POOLER_USER, SERVICES } from '../names.ts';
import { placement } from '../placement.ts';

/** The key of its config in the stack file. */
export const POOLER_CONFIG = 'pgbouncer';

export function poolerService(config: EnvironmentConfig, image: string): ComposeService {
  return {
    image,
    ...hardened(POOLER_USER),
    networks: [NETWORKS.data],
    secrets: secretFiles(['database-app'], POOLER_USER),
    configs: [
      {
        source: POOLER_CONFIG,
        target: '/etc/pgbouncer/pgbouncer.ini',
        uid: String(POOLER_USER),
        gid: String(POOLER_USER),
        mode: 0o444,
      },
    ],
    volumes: [scratch('/run/pgbouncer', 1)],
    healthcheck: { interval: '5s', timeout: '3s', retries: 3, start_period: '10s' },
    // It finishes the transactions that run; SIGINT is its word for that.
    stop_signal: 'SIGINT',
    stop_grace_period: '60s',
    deploy: {
      replicas: 1,
      endpoint_mode: 'dnsrr',
      ...startFirst('10s'),
      restart_policy: { condition: 'any', delay: '1s' },
      resources: bounded(config, 'pooler'),
      ...placement(config, 'database'),
    },
  };
}

/**
 * Connections belong to a transaction, not to a client. Statements that the API prepares follow it from one connection to
 * the next (PgBouncer 1.21 and newer); the settings it asks for at the start of a connection are the same for all, so the
 * pooler makes them.
 */
export function poolerConfig(config: EnvironmentConfig): string {
  const timeout = Number(config.settings['CALCULAUD_STATEMENT_TIMEOUT_MS'] ?? 30_000);
  return `; Written by \`calculaud\`.
[databases]
${DATABASE_NAME} = host=${SERVICES.database} port=5432 connect_query='set jit = off; set max_parallel_workers_per_gather = 0; set timezone = UTC; set datestyle = ISO; set statement_timeout = ${timeout}; set idle_in_transaction_session_timeout = 60000'

[pgbouncer]
listen_addr = 0.0.0.0
listen_port = 5432
unix_socket_dir = /run/pgbouncer
auth_type = scram-sha-256
auth_file = /run/pgbouncer/users
stats_users = ${loginName('app')}
pool_mode = transaction
max_prepared_statements = 400
default_pool_size = 40
reserve_pool_size = 10
max_client_conn = 2000
ignore_startup_parameters = extra_float_digits, options
server_idle_timeout = 300
query_wait_timeout = 10
; A database that comes back is found within seconds.
server_login_retry = 1
server_connect_timeout = 3
log_connections = 0
log_disconnections = 0
`;
}
