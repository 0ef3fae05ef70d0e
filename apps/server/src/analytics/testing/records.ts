import type pg from 'pg';

/** Purposes and what belongs to them, written into the database and remembered beside it, for a model to look at. */

export interface Stage {
  readonly id: number;
  readonly type: number;
  priority: number;
  /** `YYYY-MM-DD`; null is pending. */
  completed: string | null;
}

export interface Cost {
  readonly id: number;
  readonly currency: string;
  /** Hundredths. */
  readonly cents: number;
}

export interface Purchase {
  readonly id: number;
  budgetSource: number | null;
  readonly costs: Cost[];
  readonly stages: Stage[];
}

export interface Purpose {
  readonly id: number;
  /** ISO instant. */
  readonly created: string;
  status: string;
  serviceType: number | null;
  readonly history: { readonly status: string; readonly at: string }[];
  readonly contents: { readonly service: number; readonly quantity: number }[];
  readonly purchases: Purchase[];
}

export interface NewPurpose {
  readonly serviceType?: number | null;
  readonly status?: string;
  readonly created?: string;
}

export interface NewStage {
  readonly type: number;
  readonly priority: number;
  readonly completed?: string | null;
}

export interface NewCost {
  readonly currency: string;
  readonly amount: number;
}

export interface NewPurchase {
  readonly budgetSource?: number | null;
  readonly costs?: readonly NewCost[];
  readonly stages?: readonly NewStage[];
}

export class Records {
  readonly purposes: Purpose[] = [];
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async removeAll(): Promise<void> {
    await this.#pool.query('delete from purpose');
    this.purposes.length = 0;
  }

  async addPurpose(given: NewPurpose = {}): Promise<Purpose> {
    const { serviceType = null, status = 'IN_PROGRESS', created = '2025-06-15T12:00:00Z' } = given;
    const id = await this.#insert(
      'insert into purpose (service_type_id, status, creation_time) values ($1, $2, $3) returning id',
      [serviceType, status, created],
    );
    const purpose: Purpose = {
      id,
      created,
      status,
      serviceType,
      history: [{ status, at: created }],
      contents: [],
      purchases: [],
    };
    this.purposes.push(purpose);
    return purpose;
  }

  /** The trigger writes the history, with the time that the change gives; the time before it would count as no time. */
  async setStatus(purpose: Purpose, status: string, at: string): Promise<void> {
    if (purpose.history.at(-1)?.at === at) return;
    await this.#pool.query(
      'update purpose set status = $2, current_status_changed_at = $3 where id = $1 and status <> $2',
      [purpose.id, status, at],
    );
    if (status !== purpose.status) {
      purpose.status = status;
      purpose.history.push({ status, at });
    }
  }

  async setServiceType(purpose: Purpose, serviceType: number | null): Promise<void> {
    await this.#pool.query('update purpose set service_type_id = $2 where id = $1', [
      purpose.id,
      serviceType,
    ]);
    purpose.serviceType = serviceType;
  }

  async addContent(purpose: Purpose, service: number, quantity: number): Promise<void> {
    if (purpose.contents.some((content) => content.service === service)) return;
    await this.#pool.query(
      'insert into purpose_content (purpose_id, service_id, quantity) values ($1, $2, $3)',
      [purpose.id, service, quantity],
    );
    purpose.contents.push({ service, quantity });
  }

  async removePurpose(purpose: Purpose): Promise<void> {
    await this.#pool.query('delete from purpose where id = $1', [purpose.id]);
    remove(this.purposes, purpose);
  }

  async addPurchase(purpose: Purpose, given: NewPurchase = {}): Promise<Purchase> {
    const { budgetSource = null, costs = [], stages = [] } = given;
    const id = await this.#insert(
      'insert into purchase (purpose_id, budget_source_id) values ($1, $2) returning id',
      [purpose.id, budgetSource],
    );
    const purchase: Purchase = { id, budgetSource, costs: [], stages: [] };
    purpose.purchases.push(purchase);
    for (const cost of costs) await this.addCost(purchase, cost);
    for (const stage of stages) await this.addStage(purchase, stage);
    return purchase;
  }

  async setBudgetSource(purchase: Purchase, budgetSource: number | null): Promise<void> {
    await this.#pool.query('update purchase set budget_source_id = $2 where id = $1', [
      purchase.id,
      budgetSource,
    ]);
    purchase.budgetSource = budgetSource;
  }

  async removePurchase(purpose: Purpose, purchase: Purchase): Promise<void> {
    await this.#pool.query('delete from purchase where id = $1', [purchase.id]);
    remove(purpose.purchases, purchase);
  }

  async addCost(purchase: Purchase, { currency, amount }: NewCost): Promise<void> {
    const id = await this.#insert(
      'insert into cost (purchase_id, currency, amount) values ($1, $2, $3) returning id',
      [purchase.id, currency, amount],
    );
    purchase.costs.push({ id, currency, cents: Math.round(amount * 100) });
  }

  async removeCost(purchase: Purchase, cost: Cost): Promise<void> {
    await this.#pool.query('delete from cost where id = $1', [cost.id]);
    remove(purchase.costs, cost);
  }

  async addStage(purchase: Purchase, { type, priority, completed = null }: NewStage): Promise<Stage> {
    const id = await this.#insert(
      `insert into stage (purchase_id, stage_type_id, priority, completion_date) values ($1, $2, $3, $4)
       returning id`,
      [purchase.id, type, priority, completed],
    );
    const stage: Stage = { id, type, priority, completed };
    purchase.stages.push(stage);
    return stage;
  }

  async complete(stage: Stage, completed: string | null): Promise<void> {
    await this.#pool.query('update stage set completion_date = $2 where id = $1', [stage.id, completed]);
    stage.completed = completed;
  }

  async move(stage: Stage, priority: number): Promise<void> {
    await this.#pool.query('update stage set priority = $2 where id = $1', [stage.id, priority]);
    stage.priority = priority;
  }

  async removeStage(purchase: Purchase, stage: Stage): Promise<void> {
    await this.#pool.query('delete from stage where id = $1', [stage.id]);
    remove(purchase.stages, stage);
  }

  async #insert(text: string, values: readonly unknown[]): Promise<number> {
    const { rows } = await this.#pool.query<{ id: number }>(text, [...values]);
    const [row] = rows;
    if (!row) throw new Error(`Nothing was inserted by: ${text}`);
    return row.id;
  }
}

function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1);
}
