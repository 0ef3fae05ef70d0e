import { DATABASE_CONNECTIONS, megabytes as inMegabytes } from '../../environment/rules.ts';
import type { EnvironmentConfig } from '../../environment/schema.ts';
import type { ComposeService } from '../compose.ts';
import { bounded, hardened, scratch, secretFiles, secretPath, stopFirst } from '../container.ts';
import { DATABASE_NAME, DATABASE_SUPERUSER, loginName } from '../database-logins.ts';
import { DATABASE_LOGINS, DATABASE_USER, loginSecret, NETWORKS } from '../names.ts';
import { placement } from '../placement.ts';

/** The key of the script of the first start in the stack file. */
export const DATABASE_CONFIG = 'database-roles';
/** The key of the list of who may connect. */
export const DATABASE_ACCESS = 'database-access';
const ACCESS_FILE = '/etc/calculaud/pg_hba.conf';

export function databaseService(config: EnvironmentConfig, image: string): ComposeService {
  return {
    image,
    command: ['postgres', ...serverSettings(config).flatMap((setting) => ['-c', setting])],
    ...hardened(DATABASE_USER),
    sysctls: SOON_CERTAIN,
    environment: {
      POSTGRES_USER: DATABASE_SUPERUSER,
      // The database of the application is made by the script, for its own owner.
      POSTGRES_DB: 'postgres',
      POSTGRES_PASSWORD_FILE: secretPath('database-superuser'),
      POSTGRES_INITDB_ARGS:
        '--data-checksums --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8',
    },
    networks: [NETWORKS.data],
    secrets: secretFiles(['database-superuser', ...DATABASE_LOGINS.map(loginSecret)], DATABASE_USER),
    configs: [
      {
        source: DATABASE_CONFIG,
        target: '/docker-entrypoint-initdb.d/10-roles.sh',
        uid: String(DATABASE_USER),
        gid: String(DATABASE_USER),
        mode: 0o444,
      },
      {
        source: DATABASE_ACCESS,
        target: ACCESS_FILE,
        uid: String(DATABASE_USER),
        gid: String(DATABASE_USER),
        mode: 0o444,
      },
    ],
    volumes: [
      { type: 'volume', source: 'database', target: '/var/lib/postgresql' },
      scratch('/var/run/postgresql', 16),
      scratch('/tmp', 256),
      // Parallel maintenance shares memory here; Docker's own is 64 MB and Swarm cannot set it.
      scratch('/dev/shm', 256),
    ],
    healthcheck: {
      // By TCP: while the script of the first start runs, the server listens on its socket alone.
      test: ['CMD', 'pg_isready', '-q', '-h', '127.0.0.1', '-U', loginName('owner'), '-d', DATABASE_NAME],
      interval: '5s',
      timeout: '5s',
      retries: 6,
      start_period: '5m',
    },
    stop_grace_period: '90s',
    deploy: {
      replicas: 1,
      endpoint_mode: 'dnsrr',
      // Two servers on one folder would destroy it.
      ...stopFirst('30s', 'pause'),
      restart_policy: { condition: 'any', delay: '2s' },
      resources: bounded(config, 'database'),
      ...placement(config, 'database'),
    },
  };
}

/**
 * A host that loses its power says goodbye to nobody. What its sessions have locked stays locked for everybody until the
 * server no longer believes in them: 15 minutes by the kernel's own measure when it owes them an answer, 2 hours when not.
 * Here it is 6 s: for answers by this, for silence by the keepalives below. (PostgreSQL's tcp_user_timeout would also end
 * clients that live, but do not read for a while.)
 */
const SOON_CERTAIN = { 'net.ipv4.tcp_retries2': '4' };

/** What follows from the memory that the container gets; the rest are PostgreSQL's defaults or those of the embedded server. */
function serverSettings({ resources }: EnvironmentConfig): string[] {
  const megabytes = inMegabytes(resources.database.limits.memory);
  return [
    `shared_buffers=${Math.floor(megabytes / 4)}MB`,
    `effective_cache_size=${Math.floor((megabytes * 3) / 4)}MB`,
    'work_mem=8MB',
    `maintenance_work_mem=${Math.min(512, Math.max(64, Math.floor(megabytes / 16)))}MB`,
    `max_connections=${DATABASE_CONNECTIONS}`,
    'random_page_cost=1.1',
    'jit=off',
    `hba_file=${ACCESS_FILE}`,
    'wal_level=replica',
    'max_wal_senders=8',
    'max_replication_slots=8',
    'max_slot_wal_keep_size=8GB',
    'max_wal_size=1GB',
    'wal_compression=pglz',
    'checkpoint_timeout=15min',
    'timezone=UTC',
    'log_timezone=UTC',
    'log_line_prefix=%m [%p] %q%u@%d ',
    'log_min_duration_statement=1s',
    // Values are business data, and hashes of secrets: they have no place in a log.
    'log_parameter_max_length=0',
    'log_lock_waits=on',
    'idle_in_transaction_session_timeout=5min',
    'tcp_keepalives_idle=3',
    'tcp_keepalives_interval=1',
    'tcp_keepalives_count=3',
    'shared_preload_libraries=pg_stat_statements',
    'pg_stat_statements.max=2000',
  ];
}
