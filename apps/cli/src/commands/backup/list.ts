import { listExports } from '@calculaud/backup/logical/stored-export';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withRepositories } from '../../host/backups.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { inMegabytes } from '../../ui/progress.ts';
import { table } from '../../ui/table.ts';

const options = z.object({ kit: z.string().optional(), from: z.string().optional() });

export const run: Run = async ({ terminal, config, options: typed }) =>
  withRepositories(config(), terminal, options.parse(typed), async (repositories, { complete }) => {
    let unreadable = 0;
    for (const repository of repositories) {
      const manifests = await repository.listManifests();
      terminal.print(repository.address);
      const rows = manifests.map((manifest) => {
        if ('unreadable' in manifest) {
          unreadable += 1;
          terminal.emit('backup', { repository: repository.address, ...manifest });
          return [manifest.id, 'unreadable', manifest.unreadable];
        }
        const { id, finishedAt, reason, bytes, migration } = manifest;
        terminal.emit('backup', { repository: repository.address, id, finishedAt, reason, bytes, migration });
        return [
          id,
          `${finishedAt.slice(0, 16)}Z`,
          reason,
          inMegabytes(bytes.total),
          `${inMegabytes(bytes.stored)} new`,
        ];
      });
      terminal.print(
        rows.length === 0
          ? '  none yet'
          : table([['ID', 'FINISHED', 'REASON', 'DATABASE', 'STORED'], ...rows]),
      );
      const exports = await listExports(repository);
      for (const { chunks: _, ...about } of exports)
        terminal.emit('export', { repository: repository.address, ...about });
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
