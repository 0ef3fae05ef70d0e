import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withEngines } from '../../host/backups.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { inMegabytes } from '../../ui/progress.ts';
import { table } from '../../ui/table.ts';

const options = z.object({ kit: z.string().optional(), from: z.string().optional() });

export const run: Run = async ({ terminal, config, options: typed, arguments: [id = ''] }) =>
  withEngines(config(), terminal, options.parse(typed), async (engines) => {
    for (const { engine, repository } of engines) {
      if (!repository) {
        const backup = (await engine.list()).find((one) => one.id === id);
        if (!backup) continue;
        terminal.emit('backup', { repository: engine.address, ...backup });
        terminal.print(table(Object.entries(backup).map(([name, value]) => [name, shown(value)])));
        return EXIT.done;
      }
      const manifest = await repository.getManifest(id);
      if (!manifest) continue;
      const { files, directories, postgresManifest, ...about } = manifest;
      terminal.emit('backup', { repository: repository.address, ...about, files: files.length });
      terminal.print(
        table([
          ['Backup', manifest.id],
          ['Repository', repository.address],
          ['Began', manifest.startedAt],
          ['Finished', manifest.finishedAt],
          ['Reason', manifest.reason],
          ['Made by', `Calculaud ${manifest.appVersion}, PostgreSQL ${manifest.postgresVersion}`],
          ['Cluster', `${manifest.systemId}, timeline ${manifest.timeline}`],
          ['Log needed', `${manifest.startLsn} to ${manifest.stopLsn}`],
          ['Schema', manifest.migration ?? 'none'],
          ['Size', `${inMegabytes(manifest.bytes.total)} in ${files.length} files`],
          ['Stored for it', inMegabytes(manifest.bytes.stored)],
          ['Files until', manifest.attached.watermark ?? 'none'],
          ...Object.entries(manifest.tables)
            .filter(([, rows]) => rows > 0)
            .map(([name, rows]) => [`  ${name}`, `about ${rows} rows`]),
        ]),
      );
      return EXIT.done;
    }
    throw new CliError(`No repository has a backup ${id}.`, 'Look at `calculaud backup list`.', EXIT.refused);
  });

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
