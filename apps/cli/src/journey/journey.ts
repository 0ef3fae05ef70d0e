import { z } from 'zod';
import { Api, type ApiOptions, UnexpectedAnswer } from './api.ts';
import type { JourneyResult, StepResult } from './journey-events.ts';
import { markOf } from './marks.ts';
import { multipart } from './multipart.ts';
import { reads } from './reads.ts';
import { removePurpose, sweep } from './sweep.ts';

/** The members that the journey looks at: no more, so that an older version passes a newer journey, too. */
const record = z.object({ id: z.int() });
const stage = z.object({
  id: z.int(),
  custom_name: z.string().nullable(),
  completion_date: z.string().nullable(),
});
const purchase = z.object({ id: z.int(), flow_stages: z.array(z.union([stage, z.array(stage)])) });
const file = z.object({ id: z.int(), file_size: z.int(), file_url: z.url() });
const purpose = z.object({
  id: z.int(),
  description: z.string().nullable(),
  purchases: z.array(purchase),
  file_attachments: z.array(file),
});
const page = z.object({ items: z.array(record), total: z.int() });

export interface JourneyOptions extends Omit<ApiOptions, 'run'> {
  /** Only for the report. */
  readonly url: string;
  /** Distinct in every run; marks what it makes. */
  readonly run: string;
  readonly onStep?: (step: StepResult) => void;
}

/**
 * What a procurement officer does all day, once, against a real system: every step has to come out exactly right. Stops
 * at the first that does not. What it made it removes, whatever happened.
 */
export async function runJourney({ url, run, onStep, ...options }: JourneyOptions): Promise<JourneyResult> {
  const api = new Api({ ...options, run: `journey-${run}` });
  const traveller = new Traveller(api, markOf('journey', run), run);
  const begin = performance.now();
  const steps: StepResult[] = [];
  const take = async (step: string, work: () => Promise<void>): Promise<boolean> => {
    const result = await timed(step, work);
    steps.push(result);
    onStep?.(result);
    return result.failure === null;
  };
  for (const [step, work] of traveller.steps()) {
    if (!(await take(step, work))) break;
  }
  await take('clean up', () => traveller.cleanUp());
  return {
    run,
    url,
    ok: steps.every(({ failure }) => failure === null),
    ms: performance.now() - begin,
    steps,
  };
}

async function timed(step: string, work: () => Promise<void>): Promise<StepResult> {
  const begin = performance.now();
  const ms = () => performance.now() - begin;
  try {
    await work();
    return { step, ms: ms(), failure: null };
  } catch (error) {
    if (error instanceof UnexpectedAnswer) return { step, ms: ms(), failure: error.failure };
    throw error;
  }
}

class Traveller {
  readonly #api: Api;
  readonly #mark: string;
  readonly #run: string;
  /** What exists by now; a step is only taken after those that make what it needs. */
  #purpose = 0;
  #purchase = 0;
  #stage = 0;
  #file = { id: 0, path: '' };

  constructor(api: Api, mark: string, run: string) {
    this.#api = api;
    this.#mark = mark;
    this.#run = run;
  }

  steps(): readonly (readonly [step: string, work: () => Promise<void>])[] {
    return [
      ['sign in', () => this.#signIn()],
      ['sweep', () => this.#sweep()],
      ['open every page', () => this.#openEveryPage()],
      ['create a purpose', () => this.#createPurpose()],
      ['add a purchase', () => this.#addPurchase()],
      ['attach a file', () => this.#attachFile()],
      ['read the file', () => this.#readFile()],
      ['complete a stage', () => this.#completeStage()],
      ['read it back', () => this.#readBack()],
      ['open its pages', () => this.#openItsPages()],
      ['find it', () => this.#find()],
    ];
  }

  async #signIn(): Promise<void> {
    const call = { method: 'GET', path: '/purposes/?limit=1' } as const;
    await this.#api.read(call, 200, page);
    await this.#api.expect({ ...call, anonymous: true }, 401);
  }

  async #sweep(): Promise<void> {
    await sweep(this.#api);
  }

  async #openEveryPage(): Promise<void> {
    for (const path of reads) {
      await this.#api.read({ method: 'GET', path }, 200, z.union([z.looseObject({}), z.array(z.unknown())]));
    }
  }

  /** Twice with the same key, as a client does that got no answer: it is one purpose. */
  async #createPurpose(): Promise<void> {
    const call = {
      method: 'POST',
      path: '/purposes/',
      headers: { 'idempotency-key': `journey-${this.#run}-purpose` },
      json: { description: this.#mark },
    } as const;
    const { id } = await this.#api.read(call, 201, record);
    this.#purpose = id;
    const again = await this.#api.read(call, 201, record);
    this.#api.assure(again.id === id, call, `purpose ${id} again, by its key`, `purpose ${again.id}`);
  }

  async #addPurchase(): Promise<void> {
    const costs = [{ currency: 'ILS', amount: 12.5 }];
    const call = { method: 'POST', path: '/purchases/', json: { purpose_id: this.#purpose, costs } } as const;
    const made = await this.#api.read(
      call,
      201,
      purchase.extend({ costs: z.array(z.object({ amount: z.number() })) }),
    );
    const [cost] = made.costs;
    this.#api.assure(cost?.amount === 12.5, call, 'a cost of 12.5', String(cost?.amount));
    this.#purchase = made.id;
  }

  async #attachFile(): Promise<void> {
    const { body, contentType } = multipart('journey.txt', 'text/plain', Buffer.from(this.#mark));
    const call = {
      method: 'POST',
      path: `/purposes/${this.#purpose}/files`,
      headers: { 'content-type': contentType },
      body,
    } as const;
    const { id, file_url } = await this.#api.read(call, 201, file);
    const { pathname, search } = new URL(file_url);
    this.#file = { id, path: `${pathname}${search}` };
  }

  /** By its signed link, which needs no token, from the system that is tested and not from where the link leads. */
  async #readFile(): Promise<void> {
    const call = { method: 'GET', path: this.#file.path, whole: true, anonymous: true } as const;
    const { body } = await this.#api.expect(call, 200);
    this.#api.assure(body === this.#mark, call, 'the content that was attached', body.slice(0, 200));
  }

  /** Of its own, so that it works with any flow, and in front, so that it is its turn. */
  async #completeStage(): Promise<void> {
    const path = `/purchases/${this.#purchase}`;
    const { flow_stages: before } = await this.#api.read({ method: 'GET', path }, 200, purchase);
    const kept = before.map((level) => [level].flat().map(({ id }) => ({ id })));
    const call = { method: 'PATCH', path, json: { stages: [{ custom_name: 'Journey' }, ...kept] } } as const;
    const { flow_stages: after } = await this.#api.read(call, 200, purchase);
    const added = after.flat().find(({ custom_name }) => custom_name === 'Journey');
    this.#api.assure(
      added !== undefined,
      call,
      'a stage called Journey',
      `${after.flat().length} other stages`,
    );
    this.#stage = added?.id ?? 0;
    // Yesterday in UTC is not in the future anywhere.
    const completion_date = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    const complete = { method: 'PATCH', path: `/stages/${this.#stage}`, json: { completion_date } } as const;
    const done = await this.#api.read(complete, 200, stage);
    this.#api.assure(
      done.completion_date === completion_date,
      complete,
      completion_date,
      `${done.completion_date}`,
    );
  }

  async #readBack(): Promise<void> {
    const call = { method: 'GET', path: `/purposes/${this.#purpose}` } as const;
    const found = await this.#api.read(call, 200, purpose);
    const stages = found.purchases
      .filter(({ id }) => id === this.#purchase)
      .flatMap(({ flow_stages }) => flow_stages.flat());
    const has = {
      description: found.description === this.#mark,
      stage: stages.some(({ id, completion_date }) => id === this.#stage && completion_date !== null),
      file: found.file_attachments.some(({ id }) => id === this.#file.id),
    };
    const missing = Object.entries(has).flatMap(([name, there]) => (there ? [] : [name]));
    this.#api.assure(missing.length === 0, call, 'all that was written', `no ${missing.join(', no ')}`);
  }

  /** The pages of each record, which are found by its id alone. */
  async #openItsPages(): Promise<void> {
    const pages = [
      `/purposes/${this.#purpose}/status-history`,
      `/purchases/${this.#purchase}`,
      `/purchases/${this.#purchase}/flow-decisions`,
      `/stages/${this.#stage}`,
      `/files/${this.#file.id}`,
    ];
    for (const path of pages) await this.#api.expect({ method: 'GET', path }, 200);
  }

  async #find(): Promise<void> {
    const query = new URLSearchParams({ search: this.#run }).toString();
    for (const path of [`/purposes/?${query}`, `/purposes/summaries?${query}`]) {
      const call = { method: 'GET', path } as const;
      const { items } = await this.#api.read(call, 200, page);
      const ids = items.map(({ id }) => id);
      this.#api.assure(
        ids.length === 1 && ids[0] === this.#purpose,
        call,
        `purpose ${this.#purpose} alone`,
        `[${ids.join(', ')}]`,
      );
    }
    const { body } = await this.#api.expect({ method: 'GET', path: `/purposes/export_csv?${query}` }, 200);
    this.#api.assure(
      body.includes(this.#run),
      { method: 'GET', path: '/purposes/export_csv' },
      'a line about it',
      body.slice(0, 200),
    );
  }

  /** Also when a step failed half-way: what was made then is found by its mark. */
  async cleanUp(): Promise<void> {
    const query = new URLSearchParams({ search: this.#run }).toString();
    const { items } = await this.#api.read(
      { method: 'GET', path: `/purposes/summaries?${query}` },
      200,
      page,
    );
    const ids = new Set([...items.map(({ id }) => id), ...(this.#purpose ? [this.#purpose] : [])]);
    for (const id of ids) {
      await removePurpose(this.#api, id);
      await this.#api.expect({ method: 'GET', path: `/purposes/${id}` }, 404);
    }
  }
}
