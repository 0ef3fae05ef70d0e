import { expect, test } from 'vitest';
import { environment } from '../environment/testing/environment.ts';
import { NOTHING_RELEASED, type ReleaseState } from '../stack/release-state.ts';
import { endingOf } from './ending.ts';
import { markedJournal, type Plan, startedJournal, turnedJournal } from './journal.ts';
import { numbered } from './plan.ts';
import { type Draft, installation, release, switchBack, upgrade } from './strategies.ts';

const config = environment();
const now: ReleaseState = {
  ...NOTHING_RELEASED,
  active: 'blue',
  blue: { image: 'calculaud:1', replicas: 2 },
  green: { image: 'calculaud:0', replicas: 2 },
  worker: { image: 'calculaud:1' },
};
const given = { config, image: 'calculaud:2', now, tools: 'calculaud:1' };

function planOf(drafts: readonly Draft[]): Plan {
  return numbered({ id: 'p', command: 'deploy', config }, [], drafts);
}

/** The journal of a command that was killed when so many steps were done, and perhaps in the middle of the next one. */
function killedAfter(plan: Plan, count: number, begun: boolean) {
  const at = '2026-01-01T10:00:00Z';
  let journal = startedJournal(plan, { object: 'o', at, by: 'dana@laptop' });
  for (const { id } of plan.steps.slice(0, count)) {
    journal = markedJournal(journal, id, { state: 'begun', at });
    journal = markedJournal(journal, id, { state: 'done', at });
  }
  const next = plan.steps[count];
  return begun && next ? markedJournal(journal, next.id, { state: 'begun', at }) : journal;
}

/** `3 begun`: in the middle of the third step. The first point from which on a killed deployment is finished. */
function finishedFrom(drafts: readonly Draft[]): string | undefined {
  const plan = planOf(drafts);
  const points = plan.steps.flatMap(({ kind }, count) => [
    { at: `before ${count + 1} ${kind}`, journal: killedAfter(plan, count, false) },
    { at: `in ${count + 1} ${kind}`, journal: killedAfter(plan, count, true) },
  ]);
  const endings = [
    ...points.map(({ at, journal }) => ({ at, ending: endingOf(plan, journal) })),
    { at: 'all done', ending: endingOf(plan, killedAfter(plan, plan.steps.length, false)) },
  ];
  const first = endings.findIndex(({ ending }) => ending === 'apply');
  // From there on nothing is undone any more.
  expect(new Set(endings.slice(first).map(({ ending }) => ending))).toEqual(new Set(['apply']));
  return endings[first]?.at;
}

test('an upgrade is finished when it has passed its last gate, and undone as long as it has not', () => {
  expect(finishedFrom(upgrade('blue-green', given))).toBe('before 7 release');
  expect(finishedFrom(upgrade('rolling', given))).toBe('before 7 release');
  const shares = config.strategy.canary.steps.length;
  expect(finishedFrom(upgrade('canary', given))).toBe(`before ${7 + shares} release`);
});

test('traffic that was mended before an upgrade is not the traffic of the upgrade', () => {
  const mended: Draft = { title: 'All traffic goes to blue', action: { kind: 'switch', to: 'blue' } };
  expect(finishedFrom([mended, ...upgrade('blue-green', given)])).toBe('before 8 release');
});

test('a rollback is finished as soon as its switch has begun: what it flees from does not come back', () => {
  expect(finishedFrom(switchBack(given))).toBe('in 1 switch');
});

test('a first installation is finished once users are there, though its journey is still to come', () => {
  expect(finishedFrom(installation({ ...given, now: NOTHING_RELEASED }))).toBe('before 5 smoke');
});

test('a single change is finished when it is done, and undone before', () => {
  expect(finishedFrom([release('Run as many containers as were asked for', now, now)])).toBe('all done');
});

test('what is being undone goes on being undone', () => {
  const plan = planOf(upgrade('blue-green', given));
  expect(endingOf(plan, turnedJournal(killedAfter(plan, 7, false), 'somebody wanted it back'))).toBe('undo');
});
