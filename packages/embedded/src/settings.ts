/** With 'none' a crash of the machine loses data: for tests only, which throw their database away. */
export type Durability = 'full' | 'none';

/** The name under which the settings below are included by postgresql.conf. ALTER SYSTEM overrides them. */
export const SETTINGS_FILE = 'postgresql.calculaud.conf';

const SETTINGS = {
  // A small machine: the server and Calculaud share it with its user's other programs.
  shared_buffers: '128MB',
  effective_cache_size: '1GB',
  work_mem: '8MB',
  maintenance_work_mem: '64MB',
  max_connections: '60',
  random_page_cost: '1.1',
  // Our statements are short; compiling them costs more than it saves.
  jit: 'off',
  // Backup and point-in-time recovery stream the log.
  wal_level: 'replica',
  max_wal_senders: '8',
  max_replication_slots: '8',
  max_slot_wal_keep_size: '8GB',
  min_wal_size: '160MB',
  max_wal_size: '1GB',
  wal_compression: 'pglz',
  checkpoint_timeout: '15min',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %q%u@%d ',
  log_checkpoints: 'off',
  log_min_duration_statement: '1s',
  // Values are business data, and hashes of secrets: they have no place in a log.
  log_parameter_max_length: '0',
  log_lock_waits: 'on',
  password_encryption: 'scram-sha-256',
  idle_in_transaction_session_timeout: '5min',
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.max': '2000',
};

const WITHOUT_DURABILITY = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  autovacuum: 'off',
  log_min_duration_statement: '-1',
  max_connections: '100',
  max_wal_size: '4GB',
};

/**
 * The receiver of the log, by the name of its slot. Only the roles that serve users wait for it (`ensureCommitsWait`):
 * migrations and backups must go on without it.
 */
const SYNCHRONOUS = { synchronous_standby_names: 'calculaud_wal', synchronous_commit: 'local' };

export function settingsText(durability: Durability, version: string, synchronous: boolean): string {
  const settings = {
    ...SETTINGS,
    ...(durability === 'none' ? WITHOUT_DURABILITY : {}),
    ...(synchronous ? SYNCHRONOUS : {}),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'`);
  return `# Written by Calculaud at every start, for ${version}. Use ALTER SYSTEM for settings of your own.\n${lines.join('\n')}\n`;
}

/** What must hold whatever the files say: no TCP, and the socket where we look for it. */
export function fixedSettings(socketDirectory: string): string[] {
  return [
    'listen_addresses=',
    'port=5432',
    `unix_socket_directories="${socketDirectory.replaceAll('"', '""')}"`,
    'unix_socket_permissions=0700',
    'logging_collector=off',
    'log_destination=stderr',
  ].flatMap((setting) => ['-c', setting]);
}
