import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BackendCounts, Evidence, GatewayReading, JourneyRun, Pair, Replicas } from './evidence.ts';
import { judge } from './gates.ts';
import type { Judgement, Verdict } from './judgement.ts';
import { dice, firstVerdict, memoryOf, pairsOf, type SimulatedRelease } from './testing/release.ts';

const NOTHING: Evidence = { replicas: null, sideBySide: null, memory: null, journeys: null, gateway: null };

function verdictOf(evidence: Partial<Evidence>): Verdict {
  return judge({ ...NOTHING, ...evidence }).verdict;
}

function words(judgement: Judgement): string {
  return judgement.reasons.map((reason) => `${reason.check} ${reason.verdict}: ${reason.words}`).join('\n');
}

/** The bar: 20 of each; a bad one found within 60 s without a single user, a clean one never called bad. */
describe.each<[string, Omit<SimulatedRelease, 'seed'>, Verdict]>([
  ['clean', {}, 'pass'],
  ['clean on a machine that others disturb', { disturbances: true }, 'pass'],
  ['clean, but slow while it is cold', { disturbances: true, cold: 3 }, 'pass'],
  ['a little slower', { disturbances: true, slowdown: 1.15 }, 'pass'],
  ['twice as slow', { disturbances: true, slowdown: 2 }, 'fail'],
  ['twice as slow for one kind of request', { disturbances: true, slowdown: 2, slowKind: 'search' }, 'fail'],
  ['failing for 20 %', { errorRate: { new: 0.2 } }, 'fail'],
  ['broken for one kind of request', { brokenKind: 'suppliers' }, 'fail'],
  ['leaking', { leakBytesPerRequest: { new: 20_000 } }, 'fail'],
  ['leaking like the old one', { leakBytesPerRequest: { old: 50_000, new: 50_000 } }, 'pass'],
])('a release that is %s', (_, kind, expected) => {
  test(`always gets the verdict "${expected}"`, () => {
    const found = Array.from({ length: 20 }, (_release, seed) => firstVerdict({ ...kind, seed }, 60));
    expect(found.map((first) => first?.judgement.verdict)).toEqual(found.map(() => expected));
  });
});

test('a clean release that is watched on and on fails at no moment', () => {
  const failed = Array.from({ length: 5 }, (_, seed) =>
    firstVerdict({ seed: seed + 7000, disturbances: true }, 120, ['fail']),
  );
  expect(failed.filter(Boolean)).toEqual([]);
});

test('on a day on which the old version fails just as often, nothing is said of the new one', () => {
  const release = { seed: 3, errorRate: { old: 0.5, new: 0.5 } };
  const judgement = judge({ ...NOTHING, sideBySide: pairsOf(release, 30) });
  expect(judgement.verdict).toBe('inconclusive');
  expect(words(judgement)).toContain('the old version fails, too');
});

test('what was asked for and did not come yet holds', () => {
  for (const check of ['sideBySide', 'memory', 'journeys', 'gateway'] as const) {
    expect(verdictOf({ [check]: [] })).toBe('inconclusive');
  }
  expect(() => judge(NOTHING)).toThrow('has to look at something');
});

test('few pairs hold, however bad they look', () => {
  const ms = (value: number) => ({ ok: true, ms: value });
  const few: Pair[] = Array.from({ length: 10 }, (_, index) => ({
    kind: 'get',
    at: index * 1000,
    old: ms(5),
    new: ms(50),
  }));
  expect(verdictOf({ sideBySide: few })).toBe('inconclusive');
});

test('a burst that hits the new version alone is no slow version', () => {
  const pairs = pairsOf({ seed: 11, cold: 1 }, 30).map((pair) =>
    pair.at > 10_000 && pair.at < 16_000 ? { ...pair, new: { ...pair.new, ms: pair.new.ms * 6 } } : pair,
  );
  for (let second = 1; second <= 30; second += 1) {
    expect(verdictOf({ sideBySide: pairs.filter(({ at }) => at < second * 1000) })).not.toBe('fail');
  }
});

describe('by its properties', () => {
  const answer = fc.record({ ok: fc.boolean(), ms: fc.double({ min: 0.1, max: 5000, noNaN: true }) });
  const pair = fc.record({
    kind: fc.constantFrom('get', 'list'),
    at: fc.nat(60_000),
    old: answer,
    new: answer,
  });
  const pairs = fc.array(pair, { maxLength: 300 });

  test('figures are numbers, words are there, and the whole follows from the parts', () => {
    fc.assert(
      fc.property(pairs, (sideBySide) => {
        const { verdict, reasons } = judge({ ...NOTHING, sideBySide });
        for (const reason of reasons) expect(reason.words).not.toMatch(/undefined|NaN/);
        const parts = reasons.map((reason) => reason.verdict);
        const worst = parts.includes('fail')
          ? 'fail'
          : parts.includes('inconclusive')
            ? 'inconclusive'
            : 'pass';
        expect(verdict).toBe(worst);
      }),
    );
  });

  test('a version that is as good as the old one in every single pair never fails', () => {
    fc.assert(
      fc.property(pairs, (given) => {
        const sideBySide = given.map((one) => ({ ...one, new: one.old }));
        expect(verdictOf({ sideBySide })).not.toBe('fail');
      }),
    );
  });

  test('when a version fails, one that is worse in every pair fails, too', () => {
    const seeds = fc.nat(10_000);
    fc.assert(
      fc.property(seeds, fc.double({ min: 1, max: 3, noNaN: true }), (seed, slowdown) => {
        const sideBySide = pairsOf({ seed, slowdown, cold: 1 }, 12);
        const worse = sideBySide.map((one) => ({ ...one, new: { ...one.new, ms: one.new.ms * 1.5 } }));
        fc.pre(verdictOf({ sideBySide }) === 'fail');
        expect(verdictOf({ sideBySide: worse })).toBe('fail');
      }),
      { numRuns: 40 },
    );
  });

  test('which of two equal sides is called old plays no part: neither fails', () => {
    fc.assert(
      fc.property(fc.nat(10_000), (seed) => {
        const sideBySide = pairsOf({ seed, cold: 1, disturbances: true }, 20);
        const turned = sideBySide.map((one) => ({ ...one, old: one.new, new: one.old }));
        expect([verdictOf({ sideBySide }), verdictOf({ sideBySide: turned })]).not.toContain('fail');
      }),
      { numRuns: 40 },
    );
  });
});

describe('replicas', () => {
  const replicas: Replicas = { wanted: 2, ready: 1, restarts: 0, waitedMs: 5000, limitMs: 60_000 };

  test.each<[string, Partial<Replicas>, Verdict]>([
    ['all ready', { ready: 2 }, 'pass'],
    ['not yet', {}, 'inconclusive'],
    ['never', { waitedMs: 60_000 }, 'fail'],
    ['ready, but one was killed', { ready: 2, restarts: 1 }, 'fail'],
  ])('%s', (_, change, expected) => {
    expect(verdictOf({ replicas: { ...replicas, ...change } })).toBe(expected);
  });

  test('the reason tells what the last one said', () => {
    const judgement = judge({
      ...NOTHING,
      replicas: { ...replicas, waitedMs: 61_000, lastWords: '503 {"schema"}' },
    });
    expect(words(judgement)).toContain('1 of 2 replicas of the new version are ready after 61 s');
    expect(words(judgement)).toContain('503 {"schema"}');
  });
});

describe('journeys', () => {
  const run = (side: 'old' | 'new', ok: boolean, at: number): JourneyRun => ({
    side,
    at,
    failure: ok ? null : { step: 'complete a stage', words: 'expected status 200, came status 500' },
  });
  const runs = (text: string): JourneyRun[] =>
    [...text].map((letter, at) =>
      run(/o/i.test(letter) ? 'old' : 'new', letter === letter.toLowerCase(), at),
    );

  // o and n: a journey of the old and of the new version that worked; capital: one that failed.
  test.each<[string, Verdict]>([
    ['on', 'inconclusive'],
    ['onon', 'pass'],
    ['nn', 'pass'],
    ['oN', 'inconclusive'],
    ['oNoN', 'fail'],
    ['NN', 'fail'],
    ['ONON', 'inconclusive'],
    ['ONONo', 'fail'],
    ['oNonon', 'inconclusive'],
    ['oNononon', 'pass'],
    ['oNononoN', 'fail'],
    ['OnOn', 'pass'],
  ])('%s is %s', (text, expected) => {
    expect(verdictOf({ journeys: runs(text) })).toBe(expected);
  });

  test('the reason names the step and what came', () => {
    expect(words(judge({ ...NOTHING, journeys: runs('NN') }))).toContain(
      'the last one at "complete a stage": expected status 200, came status 500',
    );
  });
});

describe('memory', () => {
  test('a fresh process that fills its caches is no leak', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      expect(verdictOf({ memory: memoryOf({ seed, warmUpBytes: 15e6 }, 30) })).not.toBe('fail');
    }
  });

  test('one leaking replica of several is enough', () => {
    const fine = memoryOf({ seed: 1 }, 30);
    const leaking = memoryOf({ seed: 2, leakBytesPerRequest: { new: 40_000 } }, 30)
      .filter(({ side }) => side === 'new')
      .map((reading) => ({ ...reading, instance: 'another' }));
    expect(verdictOf({ memory: fine })).toBe('pass');
    expect(verdictOf({ memory: [...fine, ...leaking] })).toBe('fail');
  });

  test('a process that nobody asked anything tells nothing', () => {
    const idle = memoryOf({ seed: 1 }, 60).map((reading) => ({ ...reading, requests: 7 }));
    expect(verdictOf({ memory: idle })).toBe('inconclusive');
  });
});

describe('the gateway', () => {
  const none: BackendCounts = {
    answers: 0,
    answers5xx: 0,
    responseErrors: 0,
    connectionErrors: 0,
    queued: 0,
    responseMs: 0,
  };
  const counts = (change: Partial<BackendCounts>): BackendCounts => ({ ...none, responseMs: 20, ...change });
  const reading = (
    at: number,
    old: Partial<BackendCounts>,
    fresh: Partial<BackendCounts> | null,
  ): GatewayReading => ({
    at,
    old: counts(old),
    new: fresh && counts(fresh),
  });
  const before = reading(0, { answers: 10_000 }, {});

  test.each<[string, GatewayReading[], Verdict]>([
    [
      'at night nobody asks, and that is nothing against it',
      [before, reading(200, { answers: 10_000 }, {})],
      'pass',
    ],
    ['it is not known yet', [reading(0, {}, null)], 'inconclusive'],
    ['it answers well', [before, reading(200, { answers: 10_900 }, { answers: 100 })], 'pass'],
    [
      'one failure may be chance',
      [before, reading(200, { answers: 10_400 }, { answers: 20, answers5xx: 1 })],
      'pass',
    ],
    [
      'every fifth fails',
      [before, reading(600, { answers: 10_200 }, { answers: 20, answers5xx: 4 })],
      'fail',
    ],
    ['connections are refused', [before, reading(600, { answers: 10_200 }, { connectionErrors: 6 })], 'fail'],
    [
      'after the switch the old one has no traffic',
      [before, reading(600, { answers: 10_000 }, { answers: 40, answers5xx: 8 })],
      'fail',
    ],
    [
      'both fail alike',
      [before, reading(600, { answers: 11_000, answers5xx: 220 }, { answers: 100, answers5xx: 22 })],
      'pass',
    ],
    [
      'what failed before is not held against it',
      [
        reading(0, { answers: 100 }, { answers: 50, answers5xx: 50 }),
        reading(600, { answers: 300 }, { answers: 250, answers5xx: 50 }),
      ],
      'pass',
    ],
    [
      'a gateway that was restarted counts anew',
      [
        reading(0, { answers: 9000 }, { answers: 9000, answers5xx: 900 }),
        reading(600, { answers: 300 }, { answers: 100, answers5xx: 20 }),
      ],
      'fail',
    ],
    [
      'it takes far longer',
      [before, reading(9000, { answers: 12_000, responseMs: 30 }, { answers: 400, responseMs: 300 })],
      'fail',
    ],
    [
      'it takes far longer for a few',
      [before, reading(900, { answers: 12_000, responseMs: 30 }, { answers: 40, responseMs: 300 })],
      'pass',
    ],
    [
      'requests wait all the time',
      Array.from({ length: 12 }, (_, at) => reading(at * 200, {}, { queued: 5 })),
      'fail',
    ],
    [
      'requests wait on both sides',
      Array.from({ length: 12 }, (_, at) => reading(at * 200, { queued: 5 }, { queued: 5 })),
      'pass',
    ],
  ])('%s', (_, gateway, expected) => {
    const judgement = judge({ ...NOTHING, gateway });
    expect(judgement.verdict, `it says: ${words(judgement)}`).toBe(expected);
  });

  test('while the old version fails the prober, too, a failing new one is held and not taken back', () => {
    const gateway = [before, reading(600, { answers: 10_000 }, { answers: 40, answers5xx: 40 })];
    const away = pairsOf({ seed: 5, errorRate: { old: 1, new: 1 } }, 5);
    const judgement = judge({ ...NOTHING, gateway, sideBySide: away });
    expect(judgement.verdict).toBe('inconclusive');
    expect(words(judgement)).toContain('so it is not the version');
    expect(judge({ ...NOTHING, gateway, sideBySide: pairsOf({ seed: 5 }, 5) }).verdict).toBe('fail');
  });

  test('a canary of 10 % under 200 requests/s that fails every fifth is found before 1 % of all requests failed', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const random = dice(seed);
      const readings = [before];
      let [sent, canary, failed] = [0, 0, 0];
      for (let at = 200; verdictOf({ gateway: readings }) !== 'fail'; at += 200) {
        for (let request = 0; request < 40; request += 1) {
          sent += 1;
          if (random() < 0.1) {
            canary += 1;
            if (random() < 0.2) failed += 1;
          }
        }
        readings.push(
          reading(at, { answers: 10_000 + sent - canary }, { answers: canary, answers5xx: failed }),
        );
      }
      // Of a deployment that takes 10 s at the least.
      expect(failed).toBeLessThanOrEqual(20);
      expect(readings.length * 0.2).toBeLessThan(5);
    }
  });
});
