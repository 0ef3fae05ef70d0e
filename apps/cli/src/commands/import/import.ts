import { type ImportPlan, importDatabase, planImport } from '@calculaud/backup/logical/import';
import { planTarget, type TargetPlan } from '@calculaud/backup/logical/target';
import { migrationStatus } from '@calculaud/db/migrate';
import { migrationLabel } from '@calculaud/db/migration-phases';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withDatabase } from '../../host/database.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { interruptible } from '../../ui/interruption.ts';
import { inMegabytes } from '../../ui/progress.ts';
import { withProblemsTold } from '../export/problem.ts';
import { progressTo } from '../export/progress.ts';

const options = z.object({ plan: z.boolean().default(false), yes: z.boolean().default(false) });

const STEPS = { check: 'checked', rows: 'imported', compare: 'compared' } as const;

export const run: Run = async ({ terminal, config, options: typed, arguments: [file = ''] }) => {
  const { plan: planOnly, yes } = options.parse(typed);
  const settings = config();
  const line = planOnly ? terminal.print : terminal.say;
  return interruptible('No rows were imported.', async (signal) =>
    withProblemsTold(async () => {
      const reading = progressTo(terminal, 'read');
      const plan = await planImport(file, {
        signal,
        onProgress: ({ bytes, total }) => reading(bytes, total),
      });
      const { manifest } = plan;
      describe(plan, line);
      const access = { role: 'owner', create: !planOnly } as const;
      return withDatabase(settings, terminal, access, async (connectionString) => {
        const target = await planTarget({ connectionString, manifest, signal });
        for (const step of stepsOf(plan, target)) line(`~ ${step}`);
        terminal.emit('plan', {
          file,
          bytes: plan.bytes,
          taken_at: manifest.takenAt,
          written_by: manifest.appVersion,
          tables: manifest.tables.map(({ name, rows }) => ({ table: name, rows })),
          before: target.before,
          after: target.after,
        });
        if (planOnly) return EXIT.findings;
        await confirm(terminal, 'Import this?', yes);

        const steps = {
          check: progressTo(terminal, STEPS.check),
          rows: progressTo(terminal, STEPS.rows),
          compare: progressTo(terminal, STEPS.compare),
        };
        const outcome = await importDatabase({
          file,
          connectionString,
          appVersion: settings.app.version,
          signal,
          onProgress: ({ step, bytes, total }) => steps[step](bytes, total),
          log: terminal.say,
        });
        const { rows, skipped, migrated, unfinished } = outcome;
        terminal.emit('imported', { rows, skipped, migrated });
        await verify(connectionString, unfinished);
        for (const table of skipped)
          terminal.say(`! ${table} stays in the file: it is no table of Calculaud.`);
        terminal.say(terminal.paint.green(`Imported and verified: ${rows} rows.`));
        terminal.emit('verified', { rows });
        return EXIT.done;
      });
    }),
  );
};

function describe({ file, bytes, manifest }: ImportPlan, line: (text: string) => void): void {
  const { takenAt, database, appVersion, migrations, tables } = manifest;
  const newest = migrations.at(-1);
  line(
    `${file} (${inMegabytes(bytes)}) is whole: the database ${database} at ${takenAt}, version ${appVersion}, schema up to ${newest ? migrationLabel(newest) : 'nothing'}.`,
  );
  for (const { name, rows } of tables) if (rows > 0) line(`= ${name}: ${rows} rows`);
}

function stepsOf({ manifest }: ImportPlan, { before, after }: TargetPlan): string[] {
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
  return [
    ...(before.length > 0 ? [`Make the tables of the export: ${before[0]} to ${before.at(-1)}`] : []),
    `Put ${rows} rows into them, in one transaction, and compare every table with the file`,
    ...(after.length > 0 ? [`Apply what is newer than the export: ${after.join(', ')}`] : []),
  ];
}

async function verify(connectionString: string, unfinished: string | undefined): Promise<void> {
  const { state, pending } = await migrationStatus({ connectionString });
  if (unfinished === undefined && state === 'ours' && pending.length === 0) return;
  throw new CliError(
    `All rows are imported, but the schema is not as this version needs it${unfinished === undefined ? '' : `: ${unfinished}`}`,
    'Run `calculaud db migrate`, and look at `calculaud db status`. Do not import again.',
    EXIT.unverified,
  );
}
