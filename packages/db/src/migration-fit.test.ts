import { expect, test } from 'vitest';
import { fitOf, type PhasedMigration } from './migration-fit.ts';

/** `e` expand, `c` contract, numbered as they stand. */
function migrations(kinds: string): PhasedMigration[] {
  return [...kinds].map((kind, index) => ({ number: index + 1, name: kind, breaking: kind === 'c' }));
}

const inUse: PhasedMigration = { number: 0, name: 'reference data', breaking: false };
const applied = (kinds: string) => [inUse, ...migrations(kinds)];

test.each([
  // applied, known, when this code may start, whether the one that runs now then still runs
  ['ee', 'ee', 'now', true],
  ['ee', 'eee', 'after_expand', true],
  ['ee', 'eec', 'now', true],
  ['ee', 'eeec', 'after_expand', true],
  ['ee', 'eece', 'after_contract', false],
  ['eee', 'ee', 'now', true],
  ['eec', 'ee', 'never', false],
  ['eec', 'eec', 'now', true],
] as const)('on %s code that knows %s starts %s', (database, known, starts, rollbackStaysPossible) => {
  expect(fitOf({ applied: applied(database), known: migrations(known) })).toMatchObject({
    starts,
    rollbackStaysPossible,
  });
});

test('tells after which migration the version that runs now does not run any more', () => {
  const { steps, reason } = fitOf({ applied: applied('e'), known: migrations('eece') });
  expect(steps).toEqual([
    { number: 2, name: 'e', phase: 'expand', runningFitsAfter: true },
    { number: 3, name: 'c', phase: 'contract', runningFitsAfter: false },
    { number: 4, name: 'e', phase: 'expand', runningFitsAfter: false },
  ]);
  expect(reason).toBe('it needs 0004_e, which comes after 0003_c, a contract migration');
});

test('a contract migration that the version that runs now brought is borne by it', () => {
  const question = { applied: applied('ee'), known: migrations('eece') };
  expect(fitOf({ ...question, runningKnows: 3 })).toMatchObject({
    starts: 'after_contract',
    rollbackStaysPossible: true,
    steps: [{ runningFitsAfter: true }, { runningFitsAfter: true }],
  });
});

test('when the version that runs now has lost its schema already, there is no way back to it', () => {
  expect(fitOf({ applied: applied('ec'), known: migrations('ec'), runningKnows: 1 })).toMatchObject({
    starts: 'now',
    rollbackStaysPossible: false,
  });
});

test('a database that no version has used gets everything at once', () => {
  expect(fitOf({ applied: [], known: migrations('ece') })).toMatchObject({
    starts: 'after_expand',
    reason: 'it needs 0001_e, 0003_e',
    rollbackStaysPossible: true,
  });
  expect(fitOf({ applied: migrations('e'), known: migrations('e') })).toMatchObject({
    starts: 'after_expand',
    reason: 'the reference data is not there yet',
  });
});
