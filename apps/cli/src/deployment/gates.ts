import type { Evidence } from './evidence.ts';
import { failuresOf, judgeErrors, tooMany } from './gate-checks/errors.ts';
import { judgeGateway } from './gate-checks/gateway.ts';
import { judgeJourneys } from './gate-checks/journeys.ts';
import { judgeLatency } from './gate-checks/latency.ts';
import { judgeMemory } from './gate-checks/memory.ts';
import { judgeReplicas } from './gate-checks/replicas.ts';
import { type GateLimits, gateLimits } from './gate-limits.ts';
import { type Judgement, type Reason, together } from './judgement.ts';

/**
 * Whether the new version may go on to the next step, by everything that was observed so far. Pure: to be asked anew
 * whenever something came. A gate that looks at nothing is a mistake of the caller and never passes.
 */
export function judge(evidence: Evidence, limits: GateLimits = gateLimits): Judgement {
  const { replicas, sideBySide, memory, journeys, gateway } = evidence;
  const reasons: Reason[] = [];
  if (replicas) reasons.push(judgeReplicas(replicas));
  if (sideBySide) reasons.push(judgeErrors(sideBySide, limits), judgeLatency(sideBySide, limits));
  if (memory) reasons.push(judgeMemory(memory, limits));
  if (journeys) reasons.push(judgeJourneys(journeys, limits));
  if (gateway) reasons.push(notTheDay(judgeGateway(gateway, limits), evidence, limits));
  if (reasons.length === 0) throw new Error('a gate has to look at something');
  return together(reasons);
}

/**
 * After the switch the gateway sees one version alone. What it counts against that one is held against the other, too,
 * when the old version fails the prober at the same time: the database is away, and a rollback would help nobody.
 */
function notTheDay(reason: Reason, { sideBySide }: Evidence, limits: GateLimits): Reason {
  if (reason.verdict !== 'fail' || !sideBySide) return reason;
  const lately = sideBySide.slice(-limits.leastPairs);
  if (!tooMany(failuresOf(lately, 'old'), limits)) return reason;
  return {
    ...reason,
    verdict: 'inconclusive',
    words: `${reason.words}; but the old version fails now, too, so it is not the version`,
  };
}
