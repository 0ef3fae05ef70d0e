import type { Answer, MemoryReading, Pair } from '../evidence.ts';
import { judge } from '../gates.ts';
import type { Judgement, Verdict } from '../judgement.ts';

/** A release as the gates see it, made of dice: the same seed gives the same release. */
export interface SimulatedRelease {
  readonly seed: number;
  readonly pairsPerSecond?: number;
  /** How many times as long each side takes; for one kind of request only, where it is named. */
  readonly slowdown?: number;
  readonly slowKind?: string;
  readonly errorRate?: { readonly old?: number; readonly new?: number };
  readonly brokenKind?: string;
  readonly leakBytesPerRequest?: { readonly old?: number; readonly new?: number };
  /** What a fresh process takes for itself with its first requests. */
  readonly warmUpBytes?: number;
  /** A fresh process is slower at first, and less and less so. */
  readonly cold?: number;
  /** Another program takes the machine for a while and hits one answer harder than the other. */
  readonly disturbances?: boolean;
}

const KINDS = [
  ['get', 4],
  ['list', 9],
  ['search', 12],
  ['create', 15],
  ['suppliers', 2.5],
] as const;

/** Numbers between 0 and 1, always the same ones. (mulberry32) */
export function dice(seed: number): () => number {
  let state = seed * 2_654_435_769;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Answers scatter as measured ones do: log-normally (sigma 0.35), with one in fifty ten times as slow, and pauses of the
 * whole machine.
 */
export function pairsOf(release: SimulatedRelease, seconds: number): Pair[] {
  const {
    seed,
    pairsPerSecond = 20,
    slowdown = 1,
    slowKind,
    errorRate = {},
    brokenKind,
    cold = 1.5,
  } = release;
  const random = dice(seed);
  const busy = new Map<number, number>();
  return Array.from({ length: Math.floor(seconds * pairsPerSecond) }, (_, index) => {
    const at = (index * 1000) / pairsPerSecond;
    const second = Math.floor(at / 1000);
    if (!busy.has(second)) busy.set(second, release.disturbances && random() < 0.1 ? 3 : 1);
    const [kind, usual] = KINDS[Math.floor(random() * KINDS.length)] ?? KINDS[0];
    const answer = (side: 'old' | 'new'): Answer => {
      const scatter = Math.exp(0.35 * normal(random)) * (random() < 0.02 ? 10 : 1);
      const disturbed = random() < 0.5 ? (busy.get(second) ?? 1) : 1;
      const warm = side === 'new' ? 1 + (cold - 1) * Math.exp(-index / 60) : 1;
      const slow = side === 'new' && (slowKind === undefined || slowKind === kind) ? slowdown : 1;
      const ms = usual * scatter * disturbed * warm * slow;
      const fails = random() < (errorRate[side] ?? 0) || (side === 'new' && kind === brokenKind);
      return fails ? { ok: false, ms, problem: 'status 500' } : { ok: true, ms };
    };
    return { kind, at, old: answer('old'), new: answer('new') };
  });
}

/** A reading every three seconds; what is alive scatters by half a megabyte, as measured. */
export function memoryOf(release: SimulatedRelease, seconds: number): MemoryReading[] {
  const { seed, pairsPerSecond = 20, leakBytesPerRequest = {}, warmUpBytes = 3e6 } = release;
  const random = dice(seed + 1_000_000);
  return Array.from({ length: Math.floor(seconds / 3) + 1 }, (_, index) => index * 3).flatMap((second) =>
    (['old', 'new'] as const).map((side) => {
      const sent = second * pairsPerSecond;
      const fresh = side === 'new' ? warmUpBytes * (1 - Math.exp(-sent / 150)) : 0;
      const requests = (side === 'old' ? 50_000 : 200) + sent;
      return {
        side,
        instance: `${side}:8000`,
        at: second * 1000,
        requests,
        liveBytes: 60e6 + fresh + sent * (leakBytesPerRequest[side] ?? 0) + 0.5e6 * normal(random),
      };
    }),
  );
}

/** What a gate that judges twice a second says first that is one of these, and when; null: nothing for so long. */
export function firstVerdict(
  release: SimulatedRelease,
  seconds: number,
  verdicts: readonly Verdict[] = ['pass', 'fail'],
): { readonly second: number; readonly judgement: Judgement } | null {
  const pairs = pairsOf(release, seconds);
  const memory = memoryOf(release, seconds);
  for (let second = 0.5; second <= seconds; second += 0.5) {
    const judgement = judge({
      replicas: null,
      sideBySide: pairs.filter(({ at }) => at <= second * 1000),
      memory: memory.filter(({ at }) => at <= second * 1000),
      journeys: null,
      gateway: null,
    });
    if (verdicts.includes(judgement.verdict)) return { second, judgement };
  }
  return null;
}
