import { listExports, readExport } from '@calculaud/backup/logical/stored-export';
import { open, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withRepositories } from '../../host/backups.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { interruptible } from '../../ui/interruption.ts';
import { inMegabytes } from '../../ui/progress.ts';

const options = z.object({ kit: z.string().optional(), from: z.string().optional() });

export const run: Run = async ({ terminal, config, options: typed, arguments: [id = '', path = ''] }) =>
  withRepositories(config(), terminal, options.parse(typed), async (repositories) => {
    for (const repository of repositories) {
      const stored = (await listExports(repository)).find((each) => each.id === id);
      if (!stored) continue;
      await interruptible(`${path} is not complete, and was removed.`, async (signal) => {
        // Never over something that is there; for its owner alone, because everything is in it.
        const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
          const words = error instanceof Error ? error.message : String(error);
          throw new CliError(
            `${path} cannot be made: ${words}.`,
            'Name a file that is not there yet.',
            EXIT.refused,
          );
        });
        try {
          await pipeline(readExport(repository, stored), file.createWriteStream({ flush: true }), { signal });
        } catch (error) {
          await rm(path, { force: true });
          throw error;
        }
      });
      terminal.emit('extracted', { repository: repository.address, id, file: path, bytes: stored.size });
      terminal.say(
        `Wrote ${path}: ${stored.tables} tables, ${stored.rows} rows, ${inMegabytes(stored.size)}.`,
      );
      terminal.say(`Read it back into a database: calculaud import ${path}`);
      return EXIT.done;
    }
    throw new CliError(
      `No repository has an export ${id}.`,
      'Look at `calculaud backup list`.',
      EXIT.refused,
    );
  });
