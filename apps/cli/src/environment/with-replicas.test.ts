import { expect, test } from 'vitest';
import { withReplicas } from './with-replicas.ts';

test('only the number changes', () => {
  const text = `# Ours.
name: production
replicas:
  api: 2      # since March
  worker: 1
gateway: {http: 80,   https: 443}
`;
  expect(withReplicas(text, { api: 12, worker: 3 })).toBe(
    text.replace('api: 2 ', 'api: 12 ').replace('worker: 1', 'worker: 3'),
  );
});

test('a file in one line stays one', () => {
  expect(withReplicas('name: a\nreplicas: {api: 2}\n', { api: 3 })).toBe('name: a\nreplicas: {api: 3}\n');
});

test.each([
  ['name: a # ours\n', 'name: a # ours\nreplicas:\n  worker: 4\n'],
  ['gateway: {http: 80}', 'gateway: {http: 80}\nreplicas:\n  worker: 4\n'],
  ['name: a\nreplicas:\n  api: 2 # two\n', 'name: a\nreplicas:\n  api: 2 # two\n  worker: 4\n'],
])('a number that was left to its default is written: %j', (before, after) => {
  expect(withReplicas(before, { worker: 4 })).toBe(after);
});

test('what is not asked for stays', () => {
  expect(withReplicas('replicas: {api: 2}\n', {})).toBe('replicas: {api: 2}\n');
});
