import { migrate, migrationStatus } from '@calculaud/db/migrate';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withDatabase } from '../../host/database.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { labelOf } from './labels.ts';

const options = z.object({ plan: z.boolean().default(false) });

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { plan } = options.parse(typed);
  const settings = config();
  const access = { role: 'owner', create: !plan } as const;
  return withDatabase(settings, terminal, access, async (connectionString) => {
    const { pending } = await migrationStatus({ connectionString });
    const show = plan ? terminal.print : terminal.say;
    for (const migration of pending) show(`+ ${labelOf(migration)}`);
    terminal.emit('plan', { pending: pending.map(labelOf) });
    if (plan) {
      if (pending.length === 0) terminal.say('Nothing to apply.');
      return pending.length === 0 ? EXIT.done : EXIT.findings;
    }

    const { applied } = await migrate({
      connectionString,
      log: terminal.say,
      appliedBy: settings.app.version,
    });
    for (const migration of applied) terminal.emit('applied', { migration: labelOf(migration) });

    const after = await migrationStatus({ connectionString });
    if (after.state !== 'ours' || after.pending.length > 0) {
      throw new CliError(
        'The migrations ran, but the database does not show all of them.',
        'Look at `calculaud db status`.',
        EXIT.unverified,
      );
    }
    terminal.say(applied.length === 0 ? 'Nothing to apply.' : `Applied and verified: ${applied.length}.`);
    terminal.emit('verified', { applied: applied.length });
    return EXIT.done;
  });
};
