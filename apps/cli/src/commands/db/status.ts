import { type MigrationStatus, migrationStatus } from '@calculaud/db/migrate';
import { migrationLabel, phaseOf } from '@calculaud/db/migration-phases';
import type { Run } from '../../command.ts';
import { withDatabase } from '../../host/database.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { phased, remark } from './phases.ts';

export const run: Run = async ({ terminal, config }) => {
  const status = await withDatabase(config(), terminal, { role: 'owner' }, (connectionString) =>
    migrationStatus({ connectionString }),
  );
  const { applied, pending, newer, changed, known, state } = status;
  for (const row of applied) {
    terminal.print(`= ${migrationLabel(row)}  applied ${row.applied_at.toISOString()}${remark(row)}`);
  }
  for (const migration of pending) {
    terminal.print(`+ ${migrationLabel(migration)}  not applied${remark(migration)}`);
  }
  for (const row of newer)
    terminal.print(`? ${migrationLabel(row)}  applied by a newer version${remark(row)}`);
  for (const migration of changed) {
    terminal.print(`! ${migrationLabel(migration)}  changed since it was applied`);
  }
  terminal.print(verdict(status));
  const oldest = applied.findLast((row) => phaseOf(row) === 'contract');
  terminal.emit('database_status', {
    state,
    applied: applied.map(migrationLabel),
    pending: pending.map(migrationLabel),
    newer: newer.map(migrationLabel),
    changed: changed.map(migrationLabel),
    migrations: [
      ...applied.map((row) => ({
        ...phased(row),
        applied_at: row.applied_at.toISOString(),
        applied_by: row.app_version,
      })),
      ...pending.map((migration) => ({ ...phased(migration), applied_at: null, applied_by: null })),
    ],
    // An application that does not know this one does not run here any more.
    lowest_application: oldest ? migrationLabel(oldest) : null,
    // What this version knows, and what it cannot run without.
    knows: labelOfLast(known),
    needs: labelOfLast(known.filter((migration) => phaseOf(migration) === 'expand')),
  });
  const asNeeded = state === 'ours' && pending.length === 0 && changed.length === 0;
  return asNeeded ? EXIT.done : EXIT.findings;
};

function labelOfLast(migrations: MigrationStatus['known']): string | null {
  const last = migrations.at(-1);
  return last ? migrationLabel(last) : null;
}

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
