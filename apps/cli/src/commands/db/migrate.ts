import { migrate, migrationStatus } from '@calculaud/db/migrate';
import { migrationLabel, splitByPhase } from '@calculaud/db/migration-phases';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withDatabase } from '../../host/database.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { phased, remark } from './phases.ts';

const options = z.object({
  plan: z.boolean().default(false),
  phase: z.enum(['expand', 'contract', 'all']).default('all'),
});

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { plan, phase } = options.parse(typed);
  const settings = config();
  const access = { role: 'owner', create: !plan } as const;
  return withDatabase(settings, terminal, access, async (connectionString) => {
    const before = await migrationStatus({ connectionString });
    const { now, later } = splitByPhase(before.pending, before.used ? phase : 'all');
    const show = plan ? terminal.print : terminal.say;
    for (const migration of now) show(`+ ${migrationLabel(migration)}${remark(migration)}`);
    for (const migration of later) show(`- ${migrationLabel(migration)}  left${remark(migration)}`);
    terminal.emit('plan', { phase, pending: now.map(migrationLabel), left: later.map(phased) });
    if (plan) {
      if (now.length === 0) terminal.say('Nothing to apply.');
      return now.length === 0 ? EXIT.done : EXIT.findings;
    }

    const { applied, left } = await migrate({
      connectionString,
      phase,
      log: terminal.say,
      appliedBy: settings.app.version,
    });
    for (const migration of applied) terminal.emit('applied', { migration: migrationLabel(migration) });

    const after = await migrationStatus({ connectionString });
    const expected = left.map(migrationLabel).join();
    if (after.state !== 'ours' || after.pending.map(migrationLabel).join() !== expected) {
      throw new CliError(
        'The migrations ran, but the database does not show all of them.',
        'Look at `calculaud db status`.',
        EXIT.unverified,
      );
    }
    terminal.say(applied.length === 0 ? 'Nothing to apply.' : `Applied and verified: ${applied.length}.`);
    terminal.emit('verified', { applied: applied.length, left: after.pending.map(phased) });
    return EXIT.done;
  });
};
