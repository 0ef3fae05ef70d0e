import type { Replicas } from '../evidence.ts';
import type { Reason } from '../judgement.ts';

/** Whether the new version got ready in time, and stays alive. */
export function judgeReplicas({ wanted, ready, restarts, waitedMs, limitMs, lastWords }: Replicas): Reason {
  const reason = (verdict: Reason['verdict'], words: string): Reason => ({
    check: 'replicas',
    verdict,
    words: lastWords && verdict !== 'pass' ? `${words}; the last one said: ${lastWords}` : words,
    figures: { wanted, ready, restarts, waited_ms: waitedMs },
  });
  if (restarts > 0) {
    return reason('fail', `containers of the new version ended or were restarted ${restarts} times`);
  }
  const count = `${ready} of ${wanted} replicas of the new version are ready`;
  if (ready >= wanted) return reason('pass', count);
  const seconds = Math.round(waitedMs / 1000);
  return waitedMs >= limitMs
    ? reason('fail', `${count} after ${seconds} s, which is as long as they have`)
    : reason('inconclusive', `${count} after ${seconds} s`);
}
