import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Docker, openDocker } from '../host/docker.ts';
import { type Engine, startEngine } from '../testing/engine.ts';
import { type Lease, PACE, withLease } from './lease.ts';
import { appendToLedger, readLedger } from './ledger-store.ts';
import { openRegister, type Register } from './register.ts';

// A hundred and more writes through the engine, each of which is looked at: 5 s, and more on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 });

const dana = {
  who: 'dana@laptop',
  command: 'scale',
  pace: { ...PACE, takeOverAfter: 200, giveUpAfter: 200, pause: 20 },
};

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

async function append(lease: Lease, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const at = '2026-01-01T10:00:00.000Z';
    const content = { command: 'scale api 3', startedAt: at, at, outcome: 'done' as const };
    await appendToLedger(lease, { ...content, plan: null, steps: [], figures: null, note: null });
  }
}
const names = async (): Promise<string[]> => (await docker.api.configs()).map(({ Spec }) => Spec.Name);
const intact = async (): Promise<{ numbers: number[]; problems: number }> => {
  const { entries, problems } = await readLedger(register);
  return { numbers: entries.map(({ n }) => n), problems: problems.length };
};
const numbersTo = (last: number): number[] => Array.from({ length: last }, (_, n) => n + 1);

describe('the ledger', () => {
  test('puts the older entries into one archive once there are many', async () => {
    await withLease(register, dana, async (lease) => append(lease, 101));
    expect((await names()).filter((name) => name.includes('.archive.'))).toEqual([
      expect.stringMatching(/^calculaud-production\.archive\.000081-[0-9a-f]{8}$/),
    ]);
    expect((await names()).filter((name) => name.includes('.ledger.'))).toHaveLength(20);
    expect(await intact()).toEqual({ numbers: numbersTo(101), problems: 0 });
  });

  // The writes of the 101st entry: it is written to the record (1), stored (2), cleared (3), archived (4), and the 81 old ones removed (5–85).
  test.each([1, 2, 3, 4, 5, 40, 84])(
    'loses nothing when its writer is killed after write %d of a compaction',
    async (killedAfter) => {
      await withLease(register, dana, async (lease) => append(lease, 100));
      let writes = 0;
      await withLease(register, dana, async (lease) => {
        engine.trouble = (request) => {
          if (request.startsWith('GET')) return writes >= killedAfter ? 'drop' : undefined;
          writes += 1;
          return writes > killedAfter ? 'drop' : undefined;
        };
        await append(lease, 1);
      }).catch(() => undefined);
      expect(writes).toBeGreaterThan(killedAfter);
      engine.trouble = () => undefined;
      expect(await intact()).toEqual({ numbers: numbersTo(101), problems: 0 });

      await withLease(register, dana, async (lease) => append(lease, 1));
      expect(await intact()).toEqual({ numbers: numbersTo(102), problems: 0 });
      expect((await names()).length).toBeLessThan(110);
    },
  );

  test('is read as it was at one moment, also while somebody writes', async () => {
    await withLease(register, dana, async (lease) => {
      const over = new AbortController();
      const written = append(lease, 130).finally(() => over.abort());
      while (!over.signal.aborted) {
        const { numbers, problems } = await intact();
        expect({ numbers, problems }).toEqual({ numbers: numbersTo(numbers.length), problems: 0 });
      }
      await written;
    });
  });
});
