import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Docker, openDocker } from '../host/docker.ts';
import { type Engine, startEngine } from '../testing/engine.ts';
import { type Lease, PACE, type Pace, withLease } from './lease.ts';
import { LeaseHeld, LeaseInterrupted, LeaseLost, LeaseUncertain } from './lease-errors.ts';
import { openRegister, type Register } from './register.ts';

/** Twenty times as fast as in earnest. */
const pace: Pace = {
  beat: PACE.beat / 20,
  doubtAfter: PACE.doubtAfter / 20,
  takeOverAfter: PACE.takeOverAfter / 20,
  giveUpAfter: PACE.giveUpAfter / 20,
  pause: PACE.pause / 20,
};
const dana = { who: 'dana@laptop', command: 'deploy --to production', pace };
const eli = { who: 'eli@desk', command: 'rollback', pace };

let engine: Engine;
let docker: Docker;
let register: Register;
beforeEach(async () => {
  engine = await startEngine();
  docker = await openDocker(engine.address);
  register = openRegister(docker.api, 'calculaud-production');
});
afterEach(async () => {
  await docker.close();
  await engine.stop();
});

const holderNow = async () => (await register.read()).record.lease.holder;
const isWrite = (request: string): boolean => request.startsWith('POST');
const lose = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

function thrownBy(act: () => void): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A holder that was killed: it leaves its lease behind and never writes again. */
async function leaveLease(): Promise<void> {
  const snapshot = await register.read();
  const since = new Date().toISOString();
  const holder = { id: 'dead', who: dana.who, command: dana.command, since, renewed: since };
  await register.swap(snapshot, { ...snapshot.record, lease: { token: 7, holder } }, 'mark');
}

describe('a lease', () => {
  test('is taken, shows who has it, and is given back', async () => {
    const token = await withLease(register, dana, async (lease) => {
      expect(await holderNow()).toMatchObject({ who: 'dana@laptop', command: 'deploy --to production' });
      return lease.token;
    });
    expect(token).toBe(1);
    expect(await holderNow()).toBeNull();
    expect(await withLease(register, eli, async ({ token: next }) => next)).toBe(2);
  });

  test('is given back when the work fails, too', async () => {
    const failure = new Error('the work failed');
    expect(await lose(withLease(register, dana, async () => Promise.reject(failure)))).toBe(failure);
    expect(await holderNow()).toBeNull();
  });

  test('that a living one holds is refused, and says who, what and since when', async () => {
    await withLease(register, dana, async ({ holder }) => {
      const refusal = await lose(withLease(register, eli, async () => 'never'));
      expect(refusal).toBeInstanceOf(LeaseHeld);
      expect(refusal).toMatchObject({
        exitCode: 6,
        message: expect.stringContaining(
          `dana@laptop is at work on calculaud-production since ${holder.since}: "deploy --to production"`,
        ),
      });
    });
  });

  test('is waited for when that is wanted', async () => {
    let released = false;
    const first = withLease(register, dana, async () => {
      await sleep(pace.takeOverAfter * 2);
      released = true;
    });
    await vi.waitUntil(holderNow);
    const seen = await withLease(register, { ...eli, waitSeconds: 60 }, async () => released);
    expect(seen).toBe(true);
    await first;
  });

  test('of one that was killed is taken over after the silence, not earlier, and says so', async () => {
    await leaveLease();
    const said: string[] = [];
    const begun = performance.now();
    const token = await withLease(
      register,
      { ...eli, say: (text) => said.push(text) },
      async (lease) => lease.token,
    );
    expect(performance.now() - begun).toBeGreaterThanOrEqual(pace.takeOverAfter);
    expect(token).toBe(8);
    expect(said.at(-1)).toBe('Taken over from dana@laptop ("deploy --to production"), who fell silent.');
  });

  test('of one that was killed goes to one of those who wait for it', async () => {
    await leaveLease();
    let working = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 5 }, async () =>
        lose(
          withLease(register, eli, async () => {
            working += 1;
            expect(working).toBe(1);
            await sleep(pace.beat * 3);
            working -= 1;
          }),
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome instanceof LeaseHeld)).toHaveLength(4);
  });

  test('is not taken over because the store had no leader for a while', async () => {
    await withLease(register, dana, async (lease) => {
      let left = 4;
      engine.trouble = (request) => {
        if (request.endsWith('/version') || left === 0) return undefined;
        left -= 1;
        return { status: 500, message: 'nobody leads: context deadline exceeded' };
      };
      const refusal = await lose(withLease(register, eli, async () => 'never'));
      expect(refusal).toBeInstanceOf(LeaseHeld);
      await lease.update((record) => record);
    });
  });

  test('is taken by a contender whose answers get lost, once and knowing it', async () => {
    let left = 3;
    engine.trouble = (request) => {
      if (request.endsWith('/version') || left === 0) return undefined;
      left -= 1;
      return 'act and drop';
    };
    expect(await withLease(register, dana, async ({ token }) => token)).toBe(1);
    expect(left).toBe(0);
  });

  test('is not waited for for ever where the store never answers', async () => {
    const given = { ...eli, pace: { ...pace, giveUpAfter: 200 } };
    engine.trouble = (request) => (request.endsWith('/version') ? undefined : 'drop');
    const refusal = await lose(withLease(register, given, async () => 'never'));
    expect(refusal).toMatchObject({ name: 'DockerError', status: undefined });
  });
});

test('a contender is told by the caller to stop', async () => {
  await withLease(register, dana, async () => {
    const controller = new AbortController();
    const waiting = lose(
      withLease(register, { ...eli, waitSeconds: 60, signal: controller.signal }, async () => 'never'),
    );
    await sleep(pace.beat * 2);
    controller.abort();
    expect(await waiting).toMatchObject({ exitCode: 130, message: 'Interrupted. Nothing was changed.' });
  });
});

describe('a holder', () => {
  async function takeOver(): Promise<void> {
    const snapshot = await register.read();
    const since = new Date().toISOString();
    const holder = { id: 'other', who: eli.who, command: eli.command, since, renewed: since };
    const lease = { token: snapshot.record.lease.token + 1, holder };
    const { applied } = await register.swap(snapshot, { ...snapshot.record, lease }, `mark ${since}`);
    if (!applied) await takeOver();
  }

  test('that was taken over can no longer write, and its effect is stopped', async () => {
    const outcome = await lose(
      withLease(register, dana, async (lease) => {
        const effect = lose(lease.guard(async (signal) => sleep(60_000, undefined, { signal })));
        await takeOver();
        expect(await effect).toBeInstanceOf(LeaseLost);
        expect(() => lease.assertHeld()).toThrow(LeaseLost);
        await lease.update((record) => ({ ...record, ledger: { ...record.ledger, length: 99 } }));
      }),
    );
    expect(outcome).toBeInstanceOf(LeaseLost);
    expect(outcome).toMatchObject({ exitCode: 6, message: expect.stringContaining('eli@desk took over') });
    const { record } = await register.read();
    expect(record.lease.holder?.who).toBe('eli@desk');
    expect(record.ledger.length).toBe(0);
  });

  test('whose answers get lost writes once and knows it', async () => {
    await withLease(register, dana, async (lease) => {
      const dropped = new Set<string>();
      engine.trouble = (request) => {
        if (!isWrite(request) || dropped.size > 2) return undefined;
        dropped.add(String(dropped.size));
        return 'act and drop';
      };
      await lease.update((record) => ({
        ...record,
        ledger: { ...record.ledger, length: record.ledger.length + 1 },
      }));
      expect(dropped.size).toBeGreaterThan(0);
      expect((await register.read()).record.ledger.length).toBe(1);
    });
  });

  test('that cannot reach the store stops its effect and runs it again once it can', async () => {
    await withLease(register, dana, async (lease) => {
      const runs: string[] = [];
      let doubt: unknown;
      const result = await lease.guard(async (signal) => {
        if (runs.length === 0) engine.trouble = () => 'drop';
        runs.push('begun');
        await sleep(runs.length === 1 ? 60_000 : 1, undefined, { signal }).catch((error: unknown) => {
          runs.push('stopped');
          doubt = thrownBy(() => lease.assertHeld());
          engine.trouble = () => undefined;
          throw error;
        });
        return 'done';
      });
      expect(result).toBe('done');
      expect(runs).toEqual(['begun', 'stopped', 'begun']);
      expect(doubt).toMatchObject({ name: 'InDoubt' });
    });
  });

  test('that cannot reach the store for too long gives up, resumable', async () => {
    const outcome = await lose(
      withLease(register, { ...dana, pace: { ...pace, giveUpAfter: 500 } }, async (lease) => {
        engine.trouble = () => 'drop';
        await lease.update((record) => record);
      }),
    );
    expect(outcome).toBeInstanceOf(LeaseUncertain);
    expect(outcome).toMatchObject({ exitCode: 130 });
  });

  test('that slept past its time does nothing more before it has asked', async () => {
    await withLease(register, dana, async (lease: Lease) => {
      expect(() => lease.assertHeld()).not.toThrow();
      // The clock on the wall went on while this process did not.
      const wall = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + PACE.doubtAfter);
      expect(() => lease.assertHeld()).toThrow('not been confirmed');
      await lease.guard(async () => lease.assertHeld());
      wall.mockRestore();
    });
  });

  test('is told by the caller to stop, and can still write down how far it came', async () => {
    const controller = new AbortController();
    await withLease(register, { ...dana, signal: controller.signal }, async (lease) => {
      const effect = lose(lease.guard(async (signal) => sleep(60_000, undefined, { signal })));
      controller.abort();
      expect(await effect).toBeInstanceOf(LeaseInterrupted);
      expect(await effect).toMatchObject({ exitCode: 130 });
      expect(await lose(lease.guard(async () => 'nothing new'))).toBeInstanceOf(LeaseInterrupted);
      await lease.update((record) => ({ ...record, ledger: { ...record.ledger, length: 1 } }));
    });
    expect((await register.read()).record).toMatchObject({ lease: { holder: null }, ledger: { length: 1 } });
  });
});
