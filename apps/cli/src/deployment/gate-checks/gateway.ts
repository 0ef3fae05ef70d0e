import type { BackendCounts, GatewayReading } from '../evidence.ts';
import type { GateLimits } from '../gate-limits.ts';
import type { Reason, Verdict } from '../judgement.ts';
import type { Failures } from '../statistics.ts';
import { failsMore } from './errors.ts';

/** What the gateway counted of real traffic. Where nobody asks anything it has nothing against the new version. */
export function judgeGateway(readings: readonly GatewayReading[], limits: GateLimits): Reason {
  const [first, last] = [readings[0], readings.at(-1)];
  const reason = (verdict: Verdict, words: string, figures: Record<string, number> = {}): Reason => ({
    check: 'gateway',
    verdict,
    words,
    figures,
  });
  if (!first || !last?.new) return reason('inconclusive', 'the gateway has not told of the new version yet');

  const fresh = since(first.new, last.new);
  const old = referenceOf(first.old, last.old);
  const figures = {
    requests_new: fresh.of,
    failed_new: fresh.failed,
    requests_old: old.of,
    failed_old: old.failed,
    queued_new: last.new.queued,
    response_ms_new: last.new.responseMs,
    response_ms_old: last.old?.responseMs ?? 0,
  };
  const words = `${fresh.failed} of ${fresh.of} requests through the gateway failed on the new version`;
  if (failsMore(fresh, old, limits))
    return reason('fail', `${words}, ${old.failed} of ${old.of} on the old one`, figures);

  const lately = readings.slice(-limits.queuedReadings);
  if (
    lately.length === limits.queuedReadings &&
    lately.every((reading) => (reading.new?.queued ?? 0) > 0 && (reading.old?.queued ?? 0) === 0)
  ) {
    return reason(
      'fail',
      `requests wait at the gateway: ${last.new.queued} found no free place on the new version`,
      figures,
    );
  }
  if (fresh.of >= limits.gatewayLeastAnswers && last.old && isSlower(last.new, last.old, limits)) {
    return reason(
      'fail',
      `by the gateway's clock the new version answers after ${last.new.responseMs} ms, the old one after ${last.old.responseMs} ms`,
      figures,
    );
  }
  return reason(
    'pass',
    fresh.of === 0 ? 'nobody sent requests through the gateway to the new version' : words,
    figures,
  );
}

/** A gateway that was restarted counts from zero again; then all it counts is new. */
function since(first: BackendCounts | null, last: BackendCounts): Failures {
  const begin = first && first.answers <= last.answers ? first : null;
  const failed = failures(last) - (begin ? failures(begin) : 0);
  return { failed: Math.max(0, failed), of: requests(last) - (begin ? requests(begin) : 0) };
}

/** After the switch nobody asks the old version any more: then it is measured by all that was counted before. */
function referenceOf(first: BackendCounts | null, last: BackendCounts | null): Failures {
  if (!last) return { failed: 0, of: 0 };
  const lately = since(first, last);
  return lately.of >= 100 ? lately : { failed: failures(last), of: requests(last) };
}

function failures(counts: BackendCounts): number {
  return counts.answers5xx + counts.responseErrors + counts.connectionErrors;
}

/** Those that got no answer at all are not among the answers. */
function requests(counts: BackendCounts): number {
  return counts.answers + counts.connectionErrors;
}

function isSlower(fresh: BackendCounts, old: BackendCounts, limits: GateLimits): boolean {
  return (
    fresh.responseMs > old.responseMs * limits.gatewaySlowdown &&
    fresh.responseMs > old.responseMs + limits.gatewaySlowdownMs
  );
}
