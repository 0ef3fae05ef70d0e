import type { MigrationName } from './migration-files.ts';

/**
 * `expand`: the version of before goes on running on the schema that it makes. `contract`: it does not any more (the file
 * says `-- calculaud: breaking`), while the version that brings it runs before it and after it.
 */
export type Phase = 'expand' | 'contract';

/** Which migrations a run may apply. */
export type PhaseChoice = Phase | 'all';

export function phaseOf({ breaking }: { readonly breaking: boolean }): Phase {
  return breaking ? 'contract' : 'expand';
}

/**
 * Splits what is pending into what a run applies and what it leaves. Order is kept: a run stops before the first
 * migration of the other phase.
 */
export function splitByPhase<Migration extends { readonly breaking: boolean }>(
  pending: readonly Migration[],
  choice: PhaseChoice,
): { readonly now: readonly Migration[]; readonly later: readonly Migration[] } {
  const stop = choice === 'all' ? -1 : pending.findIndex((migration) => phaseOf(migration) !== choice);
  return stop === -1
    ? { now: pending, later: [] }
    : { now: pending.slice(0, stop), later: pending.slice(stop) };
}

/** A migration as its file is called. */
export function migrationLabel({ number, name }: MigrationName): string {
  return `${String(number).padStart(4, '0')}_${name}`;
}
