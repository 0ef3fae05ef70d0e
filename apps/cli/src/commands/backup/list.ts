import { listExports } from '@calculaud/backup/logical/stored-export';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withEngines } from '../../host/backups.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { inMegabytes } from '../../ui/progress.ts';
import { table } from '../../ui/table.ts';

const options = z.object({ kit: z.string().optional(), from: z.string().optional() });

export const run: Run = async ({ terminal, config, options: typed }) =>
  withEngines(config(), terminal, options.parse(typed), async (engines, { complete }) => {
    let unreadable = 0;
    for (const { engine, repository } of engines) {
      const backups = await engine.list();
      terminal.print(engine.address);
      const rows = backups.map((backup) => {
        if ('unreadable' in backup) {
          unreadable += 1;
          terminal.emit('backup', { repository: engine.address, ...backup });
          return [backup.id, 'unreadable', backup.unreadable];
        }
        const { id, kind, finishedAt, reason, bytes, migration } = backup;
        terminal.emit('backup', { repository: engine.address, id, finishedAt, reason, bytes, migration });
        return [
          id,
          `${finishedAt.slice(0, 16)}Z`,
          reason ?? kind,
          inMegabytes(bytes.total),
          `${inMegabytes(bytes.stored)} new`,
        ];
      });
      terminal.print(
        rows.length === 0
          ? '  none yet'
          : table([['ID', 'FINISHED', 'REASON', 'DATABASE', 'STORED'], ...rows]),
      );
      const exports = repository ? await listExports(repository) : [];
      for (const { chunks: _, ...about } of exports)
        terminal.emit('export', { repository: engine.address, ...about });
      if (exports.length > 0) {
        terminal.print(
          table([
            ['EXPORT', 'TAKEN', 'TABLES', 'ROWS', 'SIZE'],
            ...exports
              .toReversed()
              .map(({ id, takenAt, tables, rows: count, size }) => [
                id,
                `${takenAt.slice(0, 16)}Z`,
                `${tables}`,
                `${count}`,
                inMegabytes(size),
              ]),
          ]),
        );
      }
    }
    if (unreadable > 0) return EXIT.findings;
    return complete ? EXIT.done : EXIT.unverified;
  });
