import { firstVerdict, type SimulatedRelease } from '../apps/cli/src/deployment/testing/release.ts';

/**
 * How often the gates of a deployment are wrong, and how long they take: many simulated releases of each kind.
 *
 *     npx tsx bench/gate-simulation.ts [releases of each kind: 200]
 */

const releases = Number(process.argv[2] ?? 200);

const kinds: Record<string, Omit<SimulatedRelease, 'seed'>> = {
  clean: {},
  'clean, on a busy machine': { disturbances: true },
  'clean, but three times as slow while cold': { disturbances: true, cold: 3 },
  'clean, 5 pairs/s': { disturbances: true, pairsPerSecond: 5 },
  '1.15 times as slow': { disturbances: true, slowdown: 1.15 },
  '1.3 times as slow': { disturbances: true, slowdown: 1.3 },
  '1.5 times as slow': { disturbances: true, slowdown: 1.5 },
  'twice as slow': { disturbances: true, slowdown: 2 },
  'twice as slow, 5 pairs/s': { disturbances: true, slowdown: 2, pairsPerSecond: 5 },
  'one kind of five twice as slow': { disturbances: true, slowdown: 2, slowKind: 'search' },
  'fails 2 %': { errorRate: { new: 0.02 } },
  'fails 5 %': { errorRate: { new: 0.05 } },
  'fails 20 %': { errorRate: { new: 0.2 } },
  'both fail 20 %': { errorRate: { old: 0.2, new: 0.2 } },
  'one kind of five always fails': { brokenKind: 'suppliers' },
  'keeps 5 kB of each request': { leakBytesPerRequest: { new: 5000 } },
  'keeps 20 kB of each request': { leakBytesPerRequest: { new: 20_000 } },
  'keeps 50 kB of each request': { leakBytesPerRequest: { new: 50_000 } },
  'both keep 50 kB of each request': { leakBytesPerRequest: { old: 50_000, new: 50_000 } },
};

console.log(
  `| release (${releases} of each, 60 s) | pass | fail | hold | median | last |\n| --- | --- | --- | --- | --- | --- |`,
);
for (const [name, kind] of Object.entries(kinds)) {
  const verdicts = Array.from({ length: releases }, (_, seed) => firstVerdict({ ...kind, seed }, 60));
  const count = (verdict: string) => verdicts.filter((found) => found?.judgement.verdict === verdict).length;
  const seconds = verdicts.flatMap((found) => (found ? [found.second] : [])).toSorted((a, b) => a - b);
  const [median, last] = [seconds[Math.floor(seconds.length / 2)], seconds.at(-1)];
  console.log(
    `| ${name} | ${count('pass')} | ${count('fail')} | ${verdicts.filter((found) => !found).length} | ${median ?? '–'} s | ${last ?? '–'} s |`,
  );
}
const watched = Array.from({ length: releases }, (_, seed) =>
  firstVerdict({ seed: seed + 500_000, disturbances: true }, 300, ['fail']),
);
console.log(
  `\nClean ones that were watched for 300 s and failed at any moment: ${watched.filter(Boolean).length} of ${releases}.`,
);
