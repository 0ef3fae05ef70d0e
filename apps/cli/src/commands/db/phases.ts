import { migrationLabel, type Phase, phaseOf } from '@calculaud/db/migration-phases';

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly breaking: boolean;
}

/** A migration as the events of `calculaud db` tell it. */
export function phased(migration: Migration): { readonly migration: string; readonly phase: Phase } {
  return { migration: migrationLabel(migration), phase: phaseOf(migration) };
}

/** What a person has to know beside the name. */
export function remark(migration: { readonly breaking: boolean }): string {
  return phaseOf(migration) === 'contract' ? '  (contract: older versions do not run on it)' : '';
}
