import { setTimeout as sleep } from 'node:timers/promises';
import { isUncertain } from '../host/docker-error.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import { LeaseHeld, LeaseInterrupted, LeaseLost, LeaseUncertain } from './lease-errors.ts';
import type { DeploymentRecord, Holder } from './record.ts';
import { newMark, type Register, type Snapshot } from './register.ts';
import { type Silence, watched } from './silence.ts';

/** In milliseconds; the same for all who work on a stack. */
export interface Pace {
  /** How often a holder shows that it lives. */
  readonly beat: number;
  /** After so long without a confirmation a holder does nothing more until it has one: nobody can have taken over yet. */
  readonly doubtAfter: number;
  /** After so long without a sign of life a holder is taken to be dead: what it still did has had the difference to end. */
  readonly takeOverAfter: number;
  /** For so long a holder tries to find out whether the lease is still its own. */
  readonly giveUpAfter: number;
  /** Between two looks or two attempts. */
  readonly pause: number;
}

export const PACE: Pace = {
  beat: 2000,
  doubtAfter: 6000,
  takeOverAfter: 10_000,
  giveUpAfter: 120_000,
  pause: 500,
};

interface LeaseOptions {
  /** Such as `dana@laptop`. */
  readonly who: string;
  readonly command: string;
  /** How long to wait for one that lives. */
  readonly waitSeconds?: number;
  readonly signal?: AbortSignal;
  readonly say?: (text: string) => void;
  readonly pace?: Pace;
}

/** The right to change a stack, as long as the work lasts that it was taken for. */
export interface Lease {
  readonly register: Register;
  readonly holder: Holder;
  readonly token: number;
  /** As it was last read or written. */
  readonly record: () => DeploymentRecord;
  /**
   * Changes the record if the lease is still ours, in one act; else LeaseLost. The change is a pure function: it is
   * called again when the write has to be repeated.
   */
  readonly update: (change: (record: DeploymentRecord) => DeploymentRecord) => Promise<DeploymentRecord>;
  /** Throws when the last confirmation is too old to go on without a new one. */
  readonly assertHeld: () => void;
  /**
   * Runs an effect outside of the record while the lease is certain. The signal aborts when it no longer is; as soon as
   * it is confirmed once more the effect runs again from its start, so it has to be one that can be repeated. When the
   * command itself is interrupted it ends with LeaseInterrupted.
   */
  readonly guard: <T>(effect: (signal: AbortSignal) => Promise<T>) => Promise<T>;
}

/** Takes the lease, works and gives it back, however the work ends. Throws LeaseHeld when somebody else is at work. */
export async function withLease<T>(
  register: Register,
  options: LeaseOptions,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const { lease, stop } = keep(register, await acquireUnlessStopped(register, options), options);
  try {
    return await work(lease);
  } finally {
    await stop();
  }
}

async function acquireUnlessStopped(register: Register, options: LeaseOptions): Promise<Held> {
  try {
    return await acquire(register, options);
  } catch (error) {
    if (!options.signal?.aborted) throw error;
    throw new CliError('Interrupted. Nothing was changed.', '', EXIT.interrupted, { cause: error });
  }
}

async function acquire(
  register: Register,
  { who, command, waitSeconds = 0, signal, say = () => undefined, pace = PACE }: LeaseOptions,
): Promise<Held> {
  const id = newMark();
  const until = performance.now() + waitSeconds * 1000;
  let silence: Silence | undefined;
  let told = false;
  let answeredAt = performance.now();
  let ours: Moment | undefined;
  for (;;) {
    try {
      const snapshot = await register.read(signal);
      answeredAt = performance.now();
      const { lease } = snapshot.record;
      if (ours && lease.holder?.id === id) {
        return { snapshot, confirmedAt: ours, token: lease.token, holder: lease.holder };
      }
      silence = watched(silence, {
        version: snapshot.version,
        now: performance.now(),
        longestGap: pace.takeOverAfter / 2,
      });
      if (!lease.holder || silence.lasting >= pace.takeOverAfter) {
        const since = new Date().toISOString();
        const holder = { id, who, command, since, renewed: since };
        ours = clock();
        const { applied, now } = await register.swap(
          snapshot,
          { ...snapshot.record, lease: { token: lease.token + 1, holder } },
          newMark(),
          signal,
        );
        if (applied) {
          if (lease.holder)
            say(`Taken over from ${lease.holder.who} ("${lease.holder.command}"), who fell silent.`);
          return { snapshot: now, confirmedAt: ours, token: lease.token + 1, holder };
        }
        silence = undefined;
      } else if (silence.broken && performance.now() >= until) {
        throw new LeaseHeld(register.stack, lease.holder);
      } else {
        if (!told)
          say(`${lease.holder.who} holds the lock since ${lease.holder.since}; looking whether it lives …`);
        told = true;
        await sleep(pace.pause, undefined, signal ? { signal } : {});
      }
    } catch (error) {
      // Looking again harms nobody, and a write of our own whose answer was lost is known by its id.
      if (!isUncertain(error) || performance.now() - answeredAt > pace.giveUpAfter) throw error;
      await sleep(pace.pause, undefined, signal ? { signal } : {});
    }
  }
}

/** A lease that was taken; the snapshot and its age go on while it is held. */
interface Held {
  readonly token: number;
  readonly holder: Holder;
  snapshot: Snapshot;
  confirmedAt: Moment;
}

/** By two clocks: one stands still while the machine sleeps, the other can be set. Whichever shows more time counts. */
interface Moment {
  readonly steady: number;
  readonly wall: number;
}

function clock(): Moment {
  return { steady: performance.now(), wall: Date.now() };
}

function since({ steady, wall }: Moment): number {
  return Math.max(performance.now() - steady, Date.now() - wall);
}

function keep(
  register: Register,
  held: Held,
  { signal: outer, pace = PACE }: LeaseOptions,
): { lease: Lease; stop: () => Promise<void> } {
  const { stack } = register;
  const { token, holder } = held;
  const running = new Set<AbortController>();
  const over = new AbortController();
  let lost: LeaseLost | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  const assertNotLost = (): void => {
    if (lost) throw lost;
  };
  const lose = (now: Snapshot): LeaseLost => {
    lost ??= new LeaseLost(stack, now.record.lease.holder);
    for (const effect of running) effect.abort(lost);
    return lost;
  };

  const writeOnce = async (
    change: (record: DeploymentRecord) => DeploymentRecord,
    renew: () => DeploymentRecord['lease'],
    signal?: AbortSignal,
  ): Promise<DeploymentRecord> => {
    const begunAt = performance.now();
    let mark = newMark();
    for (;;) {
      assertNotLost();
      const changed = change(held.snapshot.record);
      const startedAt = clock();
      try {
        const { applied, now } = await register.swap(
          held.snapshot,
          { ...changed, lease: renew() },
          mark,
          signal,
        );
        const ours = now.record.lease.token === token && now.record.lease.holder?.id === holder.id;
        const givenBack = applied && now.record.lease.token === token && now.record.lease.holder === null;
        if (!ours && !givenBack) throw lose(now);
        held.snapshot = now;
        held.confirmedAt = startedAt;
        if (applied) return now.record;
        // An earlier write of ours that had been given up arrived after all: the change is made on top of it.
        mark = newMark();
      } catch (error) {
        if (!isUncertain(error)) throw error;
        if (performance.now() - begunAt > pace.giveUpAfter) throw new LeaseUncertain(stack, error);
        await sleep(pace.pause);
      }
    }
  };

  /** One write at a time: each stands on what the one before has left. */
  const write: typeof writeOnce = async (...given) => {
    const written = queue.then(async () => writeOnce(...given));
    queue = written.catch(() => undefined);
    return written;
  };
  const renewed = (): DeploymentRecord['lease'] => ({
    token,
    holder: { ...holder, renewed: new Date().toISOString() },
  });
  const beat = async (signal?: AbortSignal): Promise<unknown> => write((record) => record, renewed, signal);

  const heartbeat = (async () => {
    while (!over.signal.aborted) {
      await sleep(pace.beat, undefined, { signal: over.signal }).catch(() => undefined);
      if (over.signal.aborted || lost) return;
      // Whoever waits for an effect or a write learns of it there; the next beat tries again.
      if (since(held.confirmedAt) >= pace.beat / 2) await beat(over.signal).catch(() => undefined);
    }
  })();
  const watchdog = setInterval(() => {
    if (since(held.confirmedAt) < pace.doubtAfter) return;
    for (const effect of running) effect.abort(new InDoubt());
  }, pace.pause);

  const assertHeld = (): void => {
    assertNotLost();
    if (since(held.confirmedAt) >= pace.doubtAfter) throw new InDoubt();
  };

  const lease: Lease = {
    register,
    holder,
    token,
    record: () => held.snapshot.record,
    update: async (change) => write(change, renewed),
    assertHeld,
    guard: async (effect) => {
      for (;;) {
        assertNotLost();
        if (outer?.aborted) throw new LeaseInterrupted(stack, outer.reason);
        if (since(held.confirmedAt) >= pace.doubtAfter) await beat();
        const controller = new AbortController();
        running.add(controller);
        try {
          return await effect(outer ? AbortSignal.any([outer, controller.signal]) : controller.signal);
        } catch (error) {
          assertNotLost();
          if (outer?.aborted) throw new LeaseInterrupted(stack, error);
          if (!(error instanceof InDoubt || controller.signal.reason instanceof InDoubt)) throw error;
        } finally {
          running.delete(controller);
        }
      }
    },
  };
  const stop = async (): Promise<void> => {
    over.abort();
    clearInterval(watchdog);
    await heartbeat;
    // At worst the next one waits for 10 s; what the work came to must not be hidden by that.
    if (lost) return;
    const givenBack = (): DeploymentRecord['lease'] => ({ token, holder: null });
    await write((record) => record, givenBack, AbortSignal.timeout(pace.takeOverAfter)).catch(
      () => undefined,
    );
  };
  return { lease, stop };
}

/** The lease has not been confirmed lately. Effects are stopped by it and begun again once it is. */
class InDoubt extends Error {
  override readonly name = 'InDoubt';

  constructor() {
    super('The lease has not been confirmed lately');
  }
}
