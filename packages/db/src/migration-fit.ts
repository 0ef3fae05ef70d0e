import { ORIGIN } from './ledger.ts';
import type { MigrationName } from './migration-files.ts';
import { migrationLabel, type Phase, phaseOf } from './migration-phases.ts';

/** A migration of which it is known whether older code bears it. */
export interface PhasedMigration extends MigrationName {
  readonly breaking: boolean;
}

export interface FitStep extends MigrationName {
  readonly phase: Phase;
  /** Whether the version that runs now still runs when this one, and all before it, are applied. */
  readonly runningFitsAfter: boolean;
}

/** How this code and a database go together, beside the version that runs on it now. */
export interface Fit {
  /** When this code may start: now, after its migrations of a phase, or not at all on this database. */
  readonly starts: 'now' | 'after_expand' | 'after_contract' | 'never';
  /** Why it is not 'now'. */
  readonly reason: string | null;
  /** What is not applied, in order. */
  readonly steps: readonly FitStep[];
  /** Whether the version that runs now still runs when this code may start: the way back is open. */
  readonly rollbackStaysPossible: boolean;
}

export interface FitQuestion {
  /** What the ledger of the database holds. */
  readonly applied: readonly PhasedMigration[];
  /** What this code knows. */
  readonly known: readonly PhasedMigration[];
  /** The highest number that the version that runs now knows; left out: what is applied. */
  readonly runningKnows?: number | undefined;
}

export function fitOf({ applied, known, runningKnows }: FitQuestion): Fit {
  const numbers = new Set(applied.map(({ number }) => number));
  const runningBears = ({ number, breaking }: PhasedMigration): boolean =>
    !breaking || (runningKnows === undefined ? numbers.has(number) : number <= runningKnows);

  const runningFitsNow = applied.every(runningBears);
  const pending = known.filter(({ number }) => !numbers.has(number));
  const steps = pending.map(({ number, name, breaking }, index) => ({
    number,
    name,
    phase: phaseOf({ breaking }),
    runningFitsAfter: runningFitsNow && pending.slice(0, index + 1).every(runningBears),
  }));
  const unused = applied.every(({ number }) => number !== ORIGIN);
  const start = whenItStarts(applied, known, steps, unused);
  const lastNeeded = steps.findLast(({ phase }) => phase === 'expand');
  return {
    ...start,
    steps,
    rollbackStaysPossible:
      start.starts !== 'never' && (unused || (lastNeeded?.runningFitsAfter ?? runningFitsNow)),
  };
}

/** What code that knows these migrations cannot run on: newer ones that break it. */
export function breakingFor<Row extends PhasedMigration>(
  applied: readonly Row[],
  known: readonly MigrationName[],
): readonly Row[] {
  const ours = new Set(known.map(({ number }) => number));
  return applied.filter(({ number, breaking }) => number !== ORIGIN && breaking && !ours.has(number));
}

/** What the code needs and the database lacks: it runs before its own contract migrations as well as after them. */
export function lackingOf(
  applied: readonly MigrationName[],
  known: readonly PhasedMigration[],
): readonly PhasedMigration[] {
  const numbers = new Set(applied.map(({ number }) => number));
  return known.filter(({ number, breaking }) => !breaking && !numbers.has(number));
}

function whenItStarts(
  applied: readonly PhasedMigration[],
  known: readonly PhasedMigration[],
  steps: readonly FitStep[],
  unused: boolean,
): Pick<Fit, 'starts' | 'reason'> {
  const breaking = breakingFor(applied, known);
  if (breaking.length > 0) {
    return { starts: 'never', reason: `it cannot run on ${labels(breaking)}` };
  }
  const lacking = lackingOf(applied, known);
  if (lacking.length === 0 && !unused) return { starts: 'now', reason: null };

  const contract = steps.find(({ phase }) => phase === 'contract');
  const behind = contract ? lacking.filter(({ number }) => number > contract.number) : [];
  // A database that no version has used yet gets everything at once.
  if (unused || contract === undefined || behind.length === 0) {
    return {
      starts: 'after_expand',
      reason: lacking.length > 0 ? `it needs ${labels(lacking)}` : 'the reference data is not there yet',
    };
  }
  return {
    starts: 'after_contract',
    reason: `it needs ${labels(behind)}, which comes after ${migrationLabel(contract)}, a contract migration`,
  };
}

function labels(migrations: readonly MigrationName[]): string {
  return migrations.map(migrationLabel).join(', ');
}
