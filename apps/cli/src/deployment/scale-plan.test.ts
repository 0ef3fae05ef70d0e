import { expect, test } from 'vitest';
import { environmentSchema } from '../environment/schema.ts';
import { NOTHING_RELEASED, type ReleaseState } from '../stack/release-state.ts';
import { stepSchema } from './action.ts';
import type { Drift } from './observe.ts';
import { planScale } from './scale-plan.ts';

const config = environmentSchema.parse({
  name: 'test',
  kind: 'staging',
  domain: 'test.example.org',
  image: 'calculaud:1',
  hosts: [{ name: 'a', docker: 'unix:///var/run/docker.sock' }],
});
const now: ReleaseState = {
  ...NOTHING_RELEASED,
  active: 'green',
  blue: { image: 'calculaud:0', replicas: 2 },
  green: { image: 'calculaud:1', replicas: 2 },
  worker: { image: 'calculaud:1' },
};
const plan = (counts: { api?: number; worker?: number }, drift: readonly Drift[] = []) =>
  planScale({ config, counts, command: 'scale', id: 'p1' }, now, drift);

test('the colour that answers and the worker get their numbers, and there is a way back', () => {
  const found = plan({ api: 4, worker: 3 });
  expect(found?.summary).toEqual([
    '~ api-green: 2 → 4 containers',
    '~ worker: 1 → 3 containers',
    'Downtime: none. Reversible.',
  ]);
  expect(found?.steps).toHaveLength(1);
  const [step] = found?.steps ?? [];
  expect(stepSchema.parse(step?.data)).toMatchObject({
    action: { kind: 'release' },
    release: {
      blue: { replicas: 2 },
      green: { image: 'calculaud:1', replicas: 4 },
      worker: { image: 'calculaud:1', replicas: 3 },
    },
  });
  expect(stepSchema.parse(step?.undo).release).toEqual(now);
});

test('what is not named keeps its number', () => {
  const [step] = plan({ worker: 2 })?.steps ?? [];
  expect(stepSchema.parse(step?.data).release).toEqual({
    ...now,
    worker: { image: 'calculaud:1', replicas: 2 },
  });
});

test('as many as there are is no change', () => {
  expect(plan({ api: 2, worker: 1 })).toBeUndefined();
});

test('a number that somebody changed behind our back comes back', () => {
  const drift = [
    { service: 'api-green', words: 'differs in its replicas: 1 instead of 2', onlyReplicas: true },
  ];
  expect(plan({ api: 2 }, drift)?.summary).toContain('~ api-green differs in its replicas: 1 instead of 2');
});

test('other differences would be changed along with it, so they are refused', () => {
  const drift = [{ service: 'worker', words: 'differs in its description', onlyReplicas: false }];
  expect(() => plan({ api: 3 }, drift)).toThrow(/worker differs in its description\. Nothing was changed/);
});

test('before the first deployment there is nothing to scale', () => {
  expect(() =>
    planScale({ config, counts: { api: 3 }, command: 'scale', id: 'p1' }, NOTHING_RELEASED, []),
  ).toThrow('Nothing is deployed');
});
