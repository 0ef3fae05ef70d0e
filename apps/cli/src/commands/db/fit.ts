import { fitOf, type Fit } from '@calculaud/db/migration-fit';
import { type MigrationStatus, migrationStatus } from '@calculaud/db/migrate';
import { migrationLabel } from '@calculaud/db/migration-phases';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withDatabase } from '../../host/database.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';

const options = z.object({ runningKnows: z.string().optional() });

/** What this version would do to the database, asked of it before it does anything. */
export const run: Run = async ({ terminal, config, options: typed }) => {
  const { runningKnows } = options.parse(typed);
  const highest = runningKnows === undefined ? undefined : numberOf(runningKnows);
  const status = await withDatabase(config(), terminal, { role: 'owner' }, (connectionString) =>
    migrationStatus({ connectionString }),
  );
  const fit = answerOf(status, highest);
  for (const step of fit.steps) {
    terminal.print(
      `+ ${migrationLabel(step)}  ${step.phase}${step.runningFitsAfter ? '' : '; the version that runs now does not run on it'}`,
    );
  }
  terminal.print(verdict(fit));
  if (!fit.rollbackStaysPossible && fit.starts !== 'never') {
    terminal.print('There is no way back: the version that runs now would not run any more.');
  }
  terminal.emit('database_fit', {
    state: status.state,
    starts: fit.starts,
    reason: fit.reason,
    rollback_stays_possible: fit.rollbackStaysPossible,
    pending: fit.steps.map((step) => ({
      migration: migrationLabel(step),
      phase: step.phase,
      running_fits_after: step.runningFitsAfter,
    })),
  });
  const deployable = (fit.starts === 'now' || fit.starts === 'after_expand') && fit.rollbackStaysPossible;
  return deployable ? EXIT.done : EXIT.findings;
};

/** From the number or the name of a migration. */
function numberOf(text: string): number {
  if (!/^\d{1,9}(_\w+)?$/.test(text)) {
    throw new CliError(
      `--running-knows ${text} is no migration.`,
      'Give the number or the name that `calculaud db status` of that version shows last.',
      EXIT.refused,
    );
  }
  return Number.parseInt(text, 10);
}

/** A database that is not as migrations leave it is not for this version, whatever its numbers say. */
function answerOf(status: MigrationStatus, runningKnows: number | undefined): Fit {
  const { ledger: applied, known, state, changed } = status;
  const fit = fitOf({ applied, known, runningKnows });
  const reason =
    state === 'predecessor'
      ? 'it belongs to the predecessor (`calculaud db takeover`)'
      : state === 'foreign'
        ? 'it holds tables of something else'
        : changed.length > 0
          ? `migrations were changed after they had been applied: ${changed.map(migrationLabel).join(', ')}`
          : undefined;
  return reason === undefined ? fit : { ...fit, starts: 'never', reason, rollbackStaysPossible: false };
}

function verdict({ starts, reason }: Fit): string {
  const words = {
    now: 'This version can start on the database as it is.',
    after_expand: `This version can start after \`calculaud db migrate --phase expand\`: ${reason}.`,
    after_contract: `This version can start only after a contract migration: ${reason}.`,
    never: `This version cannot start on the database: ${reason}.`,
  };
  return words[starts];
}
