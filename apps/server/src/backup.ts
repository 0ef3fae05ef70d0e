import { startBackupService } from '@calculaud/backup/service/run';
import type { Config } from '@calculaud/config/config';
import { loadConfig } from '@calculaud/config/load';
import { connectEmbedded } from '@calculaud/embedded/supervisor';
import { WITH_PARENT } from './backup-process.ts';
import { buildBackupManagement } from './health/backup-management.ts';
import { listen, managementPort } from './listen.ts';
import { openStorage } from './platform/storage.ts';
import { runUntilSignal } from './process.ts';
import { StartError } from './start-refusal.ts';

/**
 * The backup service alone: it receives the log of the database, copies cluster and files, and keeps both in the
 * repositories. A process of its own, so that answers never wait for it.
 */
// Beside another process of ours: it holds our standard input open for as long as it lives.
const withParent = process.argv.includes(WITH_PARENT);
if (withParent) {
  process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume();
}

const start = async () => {
  const config = loadConfig();
  const connectionString = await connectionOf(config);
  const storage = await openStorage(config.files.store);
  const management = withParent ? undefined : buildBackupManagement(config);
  if (management) await listen(management, managementPort(config));
  const service = startBackupService({
    settings: { appVersion: config.app.version, ...config.backup },
    connectionString,
    open: async (key) => (await storage.open(key))?.stream,
    // Loaded for a drill alone: it is the whole application.
    application: async (url) => (await import('./drill/service.ts')).tryApplication(config, url),
    say: (message) => void process.stderr.write(`${message}\n`),
  });
  return {
    stop: async () => {
      await service.stop();
      await management?.close();
    },
  };
};
// Requests that are open when Ctrl-C is typed may wait for the log to be here.
await runUntilSignal(start, { deafToInterrupts: withParent });

async function connectionOf({ backup, data }: Config): Promise<string> {
  if (backup.databaseUrl !== undefined) return backup.databaseUrl;
  const embedded = await connectEmbedded(data.directory);
  if (embedded) return embedded.connectionString('backup');
  throw new StartError(
    `No database runs in ${data.directory}. Set CALCULAUD_BACKUP_DATABASE_URL, or use npm start, which runs this service by itself.`,
  );
}
