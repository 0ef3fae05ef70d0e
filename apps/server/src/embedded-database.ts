import type { Config } from '@calculaud/config/config';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@calculaud/embedded/supervisor';

export interface StartedDatabase {
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly workerUrl: string;
  stop(): Promise<void>;
}

/** Restarts within this time of the last one mean that something is lastingly wrong. */
const MINUTE = 60_000;
const RESTARTS_A_MINUTE = 5;

/** The database that the configuration names, or else the embedded one, which is restarted when it dies. */
export async function startDatabase(
  config: Config,
  say: (message: string) => void,
): Promise<StartedDatabase> {
  const { url, migrationUrl, workerUrl } = config.database;
  if (url) {
    return {
      ownerUrl: migrationUrl ?? url,
      appUrl: url,
      workerUrl: workerUrl ?? url,
      stop: async () => undefined,
    };
  }
  const { synchronous } = config.backup;
  const options = { dataDirectory: config.data.directory, log: say, synchronous };
  let server = await startEmbeddedPostgres(options);
  let stopping = false;
  const restarts: number[] = [];

  const watch = async (watched: EmbeddedPostgres): Promise<void> => {
    const reason = await watched.onExit;
    if (stopping) {
      return;
    }
    const now = Date.now();
    restarts.push(now);
    if (restarts.filter((at) => now - at < MINUTE).length > RESTARTS_A_MINUTE) {
      throw new Error(`${reason}\nIt was restarted ${RESTARTS_A_MINUTE} times within a minute: giving up.`);
    }
    say(`${reason}\nStarting it again.`);
    await watched.stop();
    server = await startEmbeddedPostgres(options);
    // Not awaited: the watch goes on for the life of the process. A database that cannot be kept up ends it.
    void watch(server);
  };
  void watch(server);

  return {
    ownerUrl: server.connectionString('owner'),
    appUrl: server.connectionString('app'),
    workerUrl: server.connectionString('worker'),
    stop: async () => {
      stopping = true;
      await server.stop();
    },
  };
}
