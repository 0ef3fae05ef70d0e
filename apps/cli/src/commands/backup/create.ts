import { requestBackup } from '@calculaud/backup/service/request';
import { openStorage } from '@calculaud/server/platform/storage';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { backupSettings, pgBackRest, withRepositories } from '../../host/backups.ts';
import { withDatabase } from '../../host/database.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { interruptible } from '../../ui/interruption.ts';
import { inMegabytes } from '../../ui/progress.ts';

const options = z.object({ full: z.boolean().default(false) });

export const run: Run = async ({ terminal, config, options: typed }) => {
  const settings = config();
  if (settings.backup.engine === 'pgbackrest') {
    const engine = pgBackRest(settings, {});
    const { full } = options.parse(typed);
    const { id, bytes } = await interruptible('pgBackRest goes on with it the next time.', async (signal) =>
      engine.create({ full, signal }),
    );
    terminal.emit('backup_created', { repository: engine.address, id, bytes, faults: [], problem: null });
    terminal.say(
      `${engine.address}: ${id}, ${inMegabytes(bytes.total)}, ${inMegabytes(bytes.stored)} of them new.`,
    );
    return EXIT.done;
  }
  const storage = await openStorage(settings.files.store);
  return withRepositories(settings, terminal, {}, async (repositories, { complete }) =>
    withDatabase(settings, terminal, { role: 'backup' }, async (connectionString) => {
      let told = performance.now();
      const results = await requestBackup({
        settings: backupSettings(settings),
        repositories,
        connectionString,
        open: async (key) => (await storage.open(key))?.stream,
        reason: 'requested',
        signal: new AbortController().signal,
        onProgress: (repository, bytes) => {
          if (performance.now() - told < 3000) return;
          told = performance.now();
          terminal.say(`  ${repository}: ${inMegabytes(bytes)}`);
        },
      });
      for (const { repository, manifest, faults, problem } of results) {
        const words = problem?.message ?? null;
        terminal.emit('backup_created', {
          repository,
          id: manifest?.id ?? null,
          bytes: manifest?.bytes ?? null,
          faults,
          problem: words,
        });
        if (words !== null) terminal.say(`! ${repository}: ${words}`);
        if (manifest) {
          const { total, stored } = manifest.bytes;
          terminal.say(
            `${repository}: ${manifest.id}, ${inMegabytes(total)}, ${inMegabytes(stored)} of them new.`,
          );
        }
        for (const { filename, key, words: why } of faults)
          terminal.say(`! the file ${filename} (${key}) ${why}`);
      }
      const all = results.every(({ manifest, faults }) => manifest && faults.length === 0);
      return all && complete ? EXIT.done : EXIT.unverified;
    }),
  );
};
