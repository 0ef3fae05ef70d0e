import { failureOf, inWords, type JourneyResult } from '../journey/journey-events.ts';
import type { ProbeEvent } from '../journey/probe-events.ts';
import type {
  Evidence,
  GatewayReading,
  JourneyRun,
  MemoryReading,
  Pair,
  Replicas,
  Side,
} from './evidence.ts';

/** Which of the checks a gate asks for. */
export type Checks = Readonly<Partial<Record<keyof Evidence, boolean>>>;

/** More than any check looks at; a soak of hours must not fill the memory. */
const MOST = { pairs: 2000, memory: 400, journeys: 200, readings: 3000 };

/** Collects what the observers of a deployment report, as the gates want it. */
export class EvidenceLog {
  readonly #checks: Checks;
  #replicas: Replicas | null = null;
  #pairs: readonly Pair[] = [];
  #memory: readonly MemoryReading[] = [];
  #journeys: readonly JourneyRun[] = [];
  #readings: readonly GatewayReading[] = [];

  constructor(checks: Checks) {
    this.#checks = checks;
  }

  /** An event of a prober that works side by side; its targets are called `old` and `new`. */
  probe(event: ProbeEvent): void {
    if (event.event === 'window') {
      const pairs = event.pairs.map(({ kind, at_ms, old, new: fresh }) => ({
        kind,
        at: at_ms,
        old: answerOf(old),
        new: answerOf(fresh),
      }));
      this.#pairs = [...this.#pairs, ...pairs].slice(-MOST.pairs);
    }
    if (event.event === 'memory' && (event.target === 'old' || event.target === 'new')) {
      const reading: MemoryReading = {
        side: event.target,
        instance: event.instance,
        at: event.at_ms,
        requests: event.requests,
        liveBytes: event.live_bytes,
      };
      this.#memory = [...this.#memory, reading].slice(-MOST.memory);
    }
  }

  journey(side: Side, result: JourneyResult, at: number): void {
    const found = failureOf(result);
    const failure = found && { step: found.step, words: inWords(found.failure) };
    this.#journeys = [...this.#journeys, { side, at, failure }].slice(-MOST.journeys);
  }

  gateway(reading: GatewayReading): void {
    // The first one stays: the counts are judged by what was added since.
    const [first, ...rest] = [...this.#readings, reading];
    this.#readings = first ? [first, ...rest.slice(1 - MOST.readings)] : [];
  }

  replicas(replicas: Replicas): void {
    this.#replicas = replicas;
  }

  evidence(): Evidence {
    const { replicas, sideBySide, memory, journeys, gateway } = this.#checks;
    return {
      replicas: replicas ? (this.#replicas ?? NOTHING_STARTED) : null,
      sideBySide: sideBySide ? this.#pairs : null,
      memory: memory ? this.#memory : null,
      journeys: journeys ? this.#journeys : null,
      gateway: gateway ? this.#readings : null,
    };
  }
}

const NOTHING_STARTED: Replicas = { wanted: 1, ready: 0, restarts: 0, waitedMs: 0, limitMs: 1 };

function answerOf({ ok, ms, problem }: { ok: boolean; ms: number; problem?: string | undefined }) {
  return { ok, ms, ...(problem === undefined ? {} : { problem }) };
}
