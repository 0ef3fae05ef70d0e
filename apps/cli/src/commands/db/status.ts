import { type MigrationStatus, migrationStatus } from '@calculaud/db/migrate';
import type { Run } from '../../command.ts';
import { withDatabase } from '../../host/database.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { labelOf } from './labels.ts';

export const run: Run = async ({ terminal, config }) => {
  const status = await withDatabase(config(), terminal, { role: 'owner' }, (connectionString) =>
    migrationStatus({ connectionString }),
  );
  const { applied, pending, newer, changed, state } = status;
  for (const row of applied) {
    terminal.print(`= ${labelOf(row)}  applied ${row.applied_at.toISOString()}`);
  }
  for (const migration of pending) terminal.print(`+ ${labelOf(migration)}  not applied`);
  for (const row of newer) terminal.print(`? ${labelOf(row)}  applied by a newer version`);
  for (const migration of changed) terminal.print(`! ${labelOf(migration)}  changed since it was applied`);
  terminal.print(verdict(status));
  terminal.emit('database_status', {
    state,
    applied: applied.map(labelOf),
    pending: pending.map(labelOf),
    newer: newer.map(labelOf),
    changed: changed.map(labelOf),
  });
  const asNeeded = state === 'ours' && pending.length === 0 && changed.length === 0;
  return asNeeded ? EXIT.done : EXIT.findings;
};

function verdict({ state, pending, newer, changed }: MigrationStatus): string {
  if (state === 'predecessor')
    return 'The database belongs to the predecessor: take it over with `calculaud db takeover`.';
  if (state === 'foreign')
    return 'The database holds tables of something else; Calculaud needs one of its own.';
  if (changed.length > 0) return 'Migration files were changed after they had been applied: put them back.';
  if (pending.length > 0) return `${pending.length} to apply: calculaud db migrate`;
  if (newer.length > 0) return 'The database has all that this version needs, and more of a newer one.';
  return 'The database is as this version needs it.';
}
