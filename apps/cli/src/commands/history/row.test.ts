import { describe, expect, test } from 'vitest';
import { chained, NO_HASH } from '../../deployment/ledger.ts';
import { describeEntry } from './entry.ts';
import { duration, rowOf } from './row.ts';

const entry = chained(
  {
    stack: 'calculaud-production',
    token: 4,
    who: 'dana@laptop',
    command: 'deploy calculaud:1.1.0',
    startedAt: '2026-01-01T10:00:00.000Z',
    at: '2026-01-01T10:02:05.000Z',
    outcome: 'rolled back',
    plan: {
      id: 'p-1',
      command: 'deploy calculaud:1.1.0',
      summary: ['~ api 1.0.0 -> 1.1.0'],
      data: null,
      steps: [
        { id: '1', title: 'Start green', kind: 'release', data: null },
        { id: '2', title: 'Switch', kind: 'switch', data: null },
      ],
    },
    steps: [
      {
        id: '1',
        state: 'undone',
        attempts: 2,
        begunAt: '2026-01-01T10:00:00.000Z',
        endedAt: '2026-01-01T10:01:00.000Z',
        detail: null,
      },
      { id: '2', state: 'pending', attempts: 0, begunAt: null, endedAt: null, detail: null },
    ],
    figures: { traffic: { sent: 12_000, failed: 3, added_p99_ms: 41.7 }, switch: { switch_ms: 3.2 } },
    note: 'never got ready\n\u001B[2Jlast line',
    release: null,
  },
  { length: 11, head: NO_HASH },
);

describe('an entry of the history', () => {
  test('is a line with what was measured', () => {
    expect(rowOf(entry)).toEqual([
      '12',
      '2026-01-01T10:02Z',
      'dana@laptop',
      'deploy calculaud:1.1.0',
      'rolled back',
      '2 min 5 s',
      '3 of 12000',
      '+42 ms',
      '3.2 ms',
    ]);
  });

  test.each([[null], [{}], [{ traffic: 'of another kind' }]])(
    'without known figures (%j) has none',
    (figures) => {
      expect(rowOf({ ...entry, figures }).slice(-3)).toEqual(['-', '-', '-']);
    },
  );

  test('is told in full, with nothing in it that steers a terminal', () => {
    const text = describeEntry(entry);
    expect(text).toContain('dana@laptop (lease 4)');
    expect(text).toContain('~ api 1.0.0 -> 1.1.0');
    expect(text).toMatch(/undone +1 min 0 s, 2 attempts +Start green/);
    expect(text).toMatch(/pending +Switch/);
    expect(text).toContain('  never got ready\n  �[2Jlast line');
    expect(text).toContain('"sent": 12000');
  });
});

test.each([
  [12, '12 ms'],
  [-5, '0 ms'],
  [12_400, '12 s'],
  [125_000, '2 min 5 s'],
  [7_500_000, '2 h 5 min'],
])('%d ms are %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
