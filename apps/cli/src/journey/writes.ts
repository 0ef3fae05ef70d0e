import { z } from 'zod';
import type { HttpOutcome } from '../host/http-message.ts';
import { type Api, UnexpectedAnswer } from './api.ts';
import type { StepFailure } from './journey-events.ts';
import { markOf } from './marks.ts';
import type { ProbeSummary } from './probe-events.ts';
import { removePurpose } from './sweep.ts';

const PAGE = 200;
const AT_ONCE = 8;
const ATTEMPTS = 3;

const found = z.object({
  items: z.array(z.object({ id: z.int(), description: z.string().nullable() })),
  has_next: z.boolean(),
});

/** Keeps the books on what was written, and looks at the end whether the system agrees. */
export class Writes {
  readonly #run: string;
  #sent = 0;
  readonly #acknowledged = new Set<number>();
  readonly #unacknowledged = new Set<number>();

  constructor(run: string) {
    this.#run = run;
  }

  note(write: number, outcome: HttpOutcome): void {
    this.#sent += 1;
    if (outcome.answered && outcome.status === 201) this.#acknowledged.add(write);
    else this.#unacknowledged.add(write);
  }

  /**
   * Sends what got no answer again with its key, as a careful client does; then every write has to be there exactly
   * once. What was made is removed.
   */
  async settle(api: Api): Promise<{ writes: ProbeSummary['writes']; failure: StepFailure | null }> {
    try {
      return { writes: await this.#settle(api), failure: null };
    } catch (error) {
      if (!(error instanceof UnexpectedAnswer)) throw error;
      const { size: acknowledged } = this.#acknowledged;
      const unknown = { sent: this.#sent, acknowledged, repeated: 0, lost: 0, doubled: 0, verified: false };
      return { writes: unknown, failure: error.failure };
    }
  }

  async #settle(api: Api): Promise<ProbeSummary['writes']> {
    const repeated = await this.#repeat(api);
    const there = await this.#find(api);
    const copies = new Map<number, number>();
    for (const { write } of there) copies.set(write, (copies.get(write) ?? 0) + 1);
    await inTurns(there, async ({ id }) => removePurpose(api, id));
    return {
      sent: this.#sent,
      acknowledged: this.#acknowledged.size,
      repeated,
      lost: [...this.#acknowledged].filter((write) => !copies.has(write)).length,
      doubled: [...copies.values()].filter((count) => count > 1).length,
      verified: true,
    };
  }

  async #repeat(api: Api): Promise<number> {
    const open = [...this.#unacknowledged].filter((write) => !this.#acknowledged.has(write));
    await inTurns(open, async (write) => {
      await patiently(() =>
        api.expect(
          {
            method: 'POST',
            path: '/purposes/',
            headers: { 'idempotency-key': `probe-${this.#run}-${write}` },
            json: { description: markOf('probe', this.#run, ` #${write}`), comments: null },
          },
          201,
        ),
      );
      this.#acknowledged.add(write);
    });
    return open.length;
  }

  async #find(api: Api): Promise<{ id: number; write: number }[]> {
    const all: { id: number; write: number }[] = [];
    for (let page = 1; ; page += 1) {
      const query = new URLSearchParams({
        search: `[calculaud probe ${this.#run}]`,
        sort_by: 'id',
        sort_order: 'asc',
        limit: String(PAGE),
        page: String(page),
      });
      const call = { method: 'GET', path: `/purposes/summaries?${query.toString()}` } as const;
      const { items, has_next } = await patiently(() => api.read(call, 200, found));
      for (const { id, description } of items) {
        all.push({ id, write: Number(/ #(\d+) /.exec(description ?? '')?.[1]) });
      }
      if (!has_next) return all;
    }
  }
}

async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await work(item);
    }),
  );
}

/** The end of a deployment may still shake a request or two. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}
