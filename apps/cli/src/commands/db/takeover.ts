import { join } from 'node:path';
import { migrationStatus } from '@calculaud/db/migrate';
import { applyTakeover, planTakeover, type TakeoverPlan } from '@calculaud/db/takeover';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withDatabase } from '../../host/database.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import type { Terminal } from '../../ui/terminal.ts';

const options = z.object({
  plan: z.boolean().default(false),
  yes: z.boolean().default(false),
  copyTo: z.string().min(1).optional(),
  ignoreConnections: z.boolean().default(false),
});

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { plan: planOnly, yes, copyTo, ignoreConnections } = options.parse(typed);
  const { app, data, organisation } = config();
  const { legacyTimeZone } = organisation;
  return withDatabase(config(), terminal, { role: 'owner' }, async (connectionString) => {
    const plan = await planTakeover(connectionString, { legacyTimeZone });
    show(plan, terminal, planOnly ? terminal.print : terminal.say);
    if (planOnly || plan.problems.length > 0) return EXIT.findings;

    await confirm(terminal, 'Take this database over?', yes);
    const result = await applyTakeover({
      connectionString,
      copyTo: copyTo ?? join(data.directory, 'takeover'),
      legacyTimeZone,
      ignoreConnections,
      log: terminal.say,
      appliedBy: app.version,
    });
    if (result.outcome === 'findings') {
      // Somebody wrote between the plan and the lock.
      show({ ...plan, problems: result.problems }, terminal, terminal.say);
      return EXIT.findings;
    }
    terminal.emit('taken_over', { copy: result.copy, tables: result.tables });

    const { state, pending } = await migrationStatus({ connectionString });
    if (state !== 'ours' || pending.length > 0) {
      throw new CliError(
        'The takeover ended, but the database does not show it.',
        `Look at \`calculaud db status\`. The copy of the old tables is in ${result.copy}.`,
        EXIT.unverified,
      );
    }
    terminal.say(
      `Verified. The copy of the old tables is in ${result.copy}; keep it until nobody asks for it.`,
    );
    terminal.emit('verified', { copy: result.copy });
    return EXIT.done;
  });
};

function show(plan: TakeoverPlan, terminal: Terminal, line: (text: string) => void): void {
  const { version, tables, others, notes, connections, steps, problems } = plan;
  line(`The database of the predecessor, version ${version}:`);
  for (const { table, rows } of tables) line(`= ${table}: ${rows} rows`);
  for (const step of steps) line(`~ ${step}`);
  for (const note of notes) line(`  ${note}`);
  for (const { pid, user, application } of connections) {
    line(`! Connected: process ${pid}, ${user}${application && `, ${application}`}`);
  }
  // Not `version`: that is the version of the events.
  terminal.emit('plan', {
    predecessor_version: version,
    tables,
    others,
    problems,
    notes,
    connections,
    steps,
  });
  if (problems.length === 0) return;

  for (const { table, rule, reason, count, ids, repair } of problems) {
    const named = ids.slice(0, SHOWN_IDS).join(', ') + (count > SHOWN_IDS ? ', …' : '');
    line(`! ${table} ${named} (${count}): ${rule}`);
    line(`  ${reason}`);
    line(`  ${repair}`);
  }
  line('Nothing was changed. Repair these rows first; a suggestion stands below each.');
}

/** All of them are in the events of `--json`. */
const SHOWN_IDS = 20;
