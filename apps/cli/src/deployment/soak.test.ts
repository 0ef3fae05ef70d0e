import { expect, test } from 'vitest';
import { NOTHING_RELEASED, type ReleaseState } from '../stack/release-state.ts';
import { jsonSchema } from './json.ts';
import { NO_HASH, type LedgerEntry } from './ledger.ts';
import { answeringSince } from './soak.ts';

const one: ReleaseState = { ...NOTHING_RELEASED, active: 'blue', blue: { image: 'one', replicas: 2 } };
const two: ReleaseState = { ...one, active: 'green', green: { image: 'two', replicas: 2 } };

function entry(at: string, release: ReleaseState | null): LedgerEntry {
  return {
    n: 1,
    stack: 'calculaud-production',
    token: 1,
    who: 'dana@laptop',
    command: 'deploy',
    startedAt: at,
    at,
    outcome: 'done',
    plan: null,
    steps: [],
    figures: null,
    note: null,
    release: jsonSchema.parse(release),
    previous: NO_HASH,
    hash: NO_HASH,
  };
}

const ten = '2026-05-01T10:00:00.000Z';
const eleven = '2026-05-01T11:00:00.000Z';
const noon = '2026-05-01T12:00:00.000Z';

test('it counts from the deployment that brought the version, not from what came after it', () => {
  const entries = [entry(ten, one), entry(eleven, two), entry(noon, two)];
  expect(answeringSince(entries, two)).toEqual(new Date(eleven));
  expect(answeringSince(entries.slice(0, 1), one)).toEqual(new Date(ten));
});

test('a version that was away in between counts from its return', () => {
  const back = { ...two, active: 'blue' } satisfies ReleaseState;
  expect(answeringSince([entry(ten, one), entry(eleven, two), entry(noon, back)], back)).toEqual(
    new Date(noon),
  );
});

test('entries without a state of their own are passed over', () => {
  expect(answeringSince([entry(ten, one), entry(eleven, two), entry(noon, null)], two)).toEqual(
    new Date(eleven),
  );
});

test('nobody knows it of a version that the ledger does not name', () => {
  expect(answeringSince([], two)).toBeUndefined();
  expect(answeringSince([entry(noon, one)], two)).toBeUndefined();
});
