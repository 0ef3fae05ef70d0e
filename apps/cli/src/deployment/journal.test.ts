import { describe, expect, test } from 'vitest';
import {
  type Journal,
  markedJournal,
  nextToApply,
  nextToUndo,
  type Plan,
  type StepMark,
  startedJournal,
  turnedJournal,
  UnfinishedJournal,
} from './journal.ts';

const plan: Plan = {
  id: 'p-1',
  command: 'deploy --to production',
  summary: ['~ api 1.0.0 -> 1.1.0'],
  data: {},
  steps: ['pull', 'start', 'switch'].map((id) => ({ id, title: id, kind: id, data: { colour: 'green' } })),
};
const started = startedJournal(plan, { object: 'x.plan.1', at: '2026-01-01T10:00:00Z', by: 'dana@laptop' });
const at = '2026-01-01T10:01:00Z';

type State = Exclude<StepMark['state'], 'pending'>;
function marked(journal: Journal, ...marks: readonly (readonly [step: string, state: State])[]): Journal {
  return marks.reduce((before, [step, state]) => markedJournal(before, step, { state, at }), journal);
}
const pulled = marked(started, ['pull', 'begun'], ['pull', 'done']);

describe('a journal', () => {
  test('begins with all steps pending', () => {
    expect(started).toMatchObject({ direction: 'apply', startedBy: 'dana@laptop' });
    expect(started.steps.map(({ state }) => state)).toEqual(['pending', 'pending', 'pending']);
  });

  test('names the plan by its content', () => {
    const changed = { ...plan, summary: ['something else'] };
    expect(startedJournal(changed, { object: 'x', at, by: 'y' }).plan.hash).not.toBe(started.plan.hash);
  });

  test('refuses a plan in which a step cannot be told from another', () => {
    const twice = { ...plan, steps: [...plan.steps, ...plan.steps] };
    expect(() => startedJournal(twice, { object: 'x', at, by: 'y' })).toThrow('two steps');
  });

  test('knows what comes next', () => {
    expect(nextToApply(started, plan)?.id).toBe('pull');
    expect(nextToApply(pulled, plan)?.id).toBe('start');
    expect(nextToApply(marked(pulled, ['start', 'begun']), plan)?.id).toBe('start');
    const all = marked(
      pulled,
      ['start', 'begun'],
      ['start', 'done'],
      ['switch', 'begun'],
      ['switch', 'done'],
    );
    expect(nextToApply(all, plan)).toBeUndefined();
  });

  test('counts how often a step was begun', () => {
    const again = marked(
      pulled,
      ['start', 'begun'],
      ['start', 'begun'],
      ['start', 'failed'],
      ['start', 'begun'],
    );
    expect(again.steps[1]).toMatchObject({ state: 'begun', attempts: 3, begunAt: at, endedAt: null });
  });

  test('undoes the last step first and only what may have left something behind', () => {
    const turned = turnedJournal(marked(pulled, ['start', 'begun'], ['start', 'failed']), 'never got ready');
    expect(turned).toMatchObject({ direction: 'undo', reason: 'never got ready' });
    expect(nextToUndo(turned, plan)?.id).toBe('start');
    expect(nextToUndo(marked(turned, ['start', 'undone']), plan)?.id).toBe('pull');
    expect(nextToUndo(marked(turned, ['start', 'undone'], ['pull', 'undone']), plan)).toBeUndefined();
  });

  test('keeps the first reason for which it was turned', () => {
    expect(turnedJournal(turnedJournal(pulled, 'first'), 'second').reason).toBe('first');
  });

  test.each<[string, Journal, string, State]>([
    ['a step that was not begun', started, 'pull', 'done'],
    ['a step that was not begun', started, 'pull', 'failed'],
    ['a step that is done', pulled, 'pull', 'begun'],
    ['a step, while the plan is applied', pulled, 'pull', 'undone'],
    ['a step that left nothing behind', turnedJournal(started, 'x'), 'pull', 'undone'],
    ['a step, while the plan is undone', turnedJournal(pulled, 'x'), 'start', 'begun'],
    ['a step that it does not have', started, 'nonsense', 'begun'],
  ])('refuses to mark %s', (_what, journal, step, state) => {
    expect(() => markedJournal(journal, step, { state, at })).toThrow(/step/i);
  });

  test('keeps what there is to say about a step, and no more than it has room for', () => {
    const begun = marked(started, ['pull', 'begun']);
    const say = (detail: string) =>
      markedJournal(begun, 'pull', { state: 'failed', at, detail }).steps[0]?.detail;
    expect(say('no such image')).toBe('no such image');
    expect(JSON.stringify(say('x'.repeat(10_000))).length).toBeLessThan(4100);
  });
});

test('an unfinished journal says whose it is, how far it came and what to do', () => {
  const { message, hint, exitCode } = new UnfinishedJournal(pulled);
  expect(message).toContain('"deploy --to production" of dana@laptop');
  expect(message).toContain('1 of 3 steps');
  expect(hint).toContain('calculaud deploy resume');
  expect(exitCode).toBe(3);
});
