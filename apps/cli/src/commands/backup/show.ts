import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withRepositories } from '../../host/backups.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { inMegabytes } from '../../ui/progress.ts';
import { table } from '../../ui/table.ts';

const options = z.object({ kit: z.string().optional(), from: z.string().optional() });

export const run: Run = async ({ terminal, config, options: typed, arguments: [id = ''] }) =>
  withRepositories(config(), terminal, options.parse(typed), async (repositories) => {
    for (const repository of repositories) {
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
