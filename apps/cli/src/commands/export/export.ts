import { exportDatabase } from '@calculaud/backup/logical/export';
import { planImport } from '@calculaud/backup/logical/import';
import type { Run } from '../../command.ts';
import { withDatabase } from '../../host/database.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { interruptible } from '../../ui/interruption.ts';
import { inMegabytes } from '../../ui/progress.ts';
import { withProblemsTold } from './problem.ts';
import { progressTo } from './progress.ts';

export const run: Run = async ({ terminal, config, arguments: [file = ''] }) => {
  const settings = config();
  return interruptible(`${file} is not complete, or not there.`, async (signal) => {
    const written = progressTo(terminal, 'written');
    const { takenAt, tables, left } = await withProblemsTold(() =>
      withDatabase(settings, terminal, { role: 'owner' }, (connectionString) =>
        exportDatabase({
          connectionString,
          appVersion: settings.app.version,
          out: file,
          signal,
          onProgress: ({ bytes, total }) => written(bytes, total),
        }),
      ),
    );
    const rows = tables.reduce((sum, table) => sum + table.rows, 0);
    terminal.emit('exported', { file, taken_at: takenAt, tables: tables.length, rows, left });
    for (const table of left) {
      terminal.say(`! ${table} is not in it: its owner, who is not Calculaud, lets nobody read it.`);
    }

    // What reached the disk is what counts.
    const checked = progressTo(terminal, 'read back');
    const { bytes } = await withProblemsTold(
      () => planImport(file, { signal, onProgress: (progress) => checked(progress.bytes, progress.total) }),
      EXIT.unverified,
    );
    terminal.say(
      terminal.paint.green(
        `Wrote and verified ${file}: ${tables.length} tables, ${rows} rows, ${inMegabytes(bytes)}.`,
      ),
    );
    terminal.say('What users attached is not in it: the files are in the object store, and in the backups.');
    terminal.emit('verified', { file, bytes });
    return EXIT.done;
  });
};
