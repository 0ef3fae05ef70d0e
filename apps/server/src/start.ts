import { loadConfig } from '@calculaud/config/load';
import { migrate } from '@calculaud/db/migrate';
import { demonstrateOnFirstStart } from './demo/first-start.ts';
import { type BackupProcess, startBackupProcess } from './backup-process.ts';
import { startDatabase } from './embedded-database.ts';
import { managementPort, publicPort, tryPorts } from './listen.ts';
import { runUntilSignal } from './process.ts';
import { serve } from './serve.ts';
import { startWorker } from './work.ts';

/** Everything in one process: the database (unless DATABASE_URL names one), its migrations, the API, the worker. */
await runUntilSignal(async () => {
  const begin = performance.now();
  const config = loadConfig();
  await tryPorts(publicPort(config), managementPort(config));
  const database = await startDatabase(config, say);
  let backup: BackupProcess | undefined;
  try {
    await migrate({ connectionString: database.ownerUrl, log: say, appliedBy: config.app.version });
    // Nothing that users enter is acknowledged without it.
    if (config.backup.synchronous) backup = startBackupProcess(say);
    await demonstrateOnFirstStart(config, database.appUrl, say);
    const server = await serve(config, database.appUrl);
    const worker = await startWorker(server.services, database.workerUrl);
    if (config.backup.enabled) backup ??= startBackupProcess(say);
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    say(`
${config.app.name} ${config.app.version} is ready after ${seconds} s.

  Application      ${server.url}
  API documents    ${server.url}/docs
  Health           ${server.managementUrl}/health/ready
  Data             ${config.data.directory}
  Backups          ${config.backup.enabled ? config.backup.repositories.join(', ') : 'none (CALCULAUD_BACKUP is off)'}

  A token for the API:  npx calculaud token create --role admin --name first
  Stop with Ctrl-C.
`);
    return {
      stop: async () => {
        say('Stopping: open requests are finished first.');
        await Promise.all([server.stop(), worker.stop()]);
        await backup?.stop();
        await database.stop();
      },
    };
  } catch (error) {
    await backup?.stop();
    await database.stop();
    throw error;
  }
});

function say(message: string): void {
  process.stderr.write(`${message}\n`);
}
