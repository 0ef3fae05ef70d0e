import { DAY, duringDay, isWorkday, type LocalTime, workdayAfter } from './local-time.ts';
import { nodes, serviceTypes } from './organisation.ts';
import { officers, type Person } from './people.ts';
import { Random } from './random.ts';
import { type Language, suffixes, titles } from './titles.ts';

/** Purposes as their officers filed them, before anybody else did anything. */

export interface DraftPurchase {
  readonly created: LocalTime;
  /** Of the reference data. */
  readonly budget: string | null;
  readonly costs: readonly { readonly currency: string; readonly amount: string }[];
}

export interface Draft {
  /** Of what happens to it afterwards. */
  readonly seed: number;
  readonly language: Language;
  readonly officer: Person;
  readonly created: LocalTime;
  readonly description: string;
  /** The number of a node. */
  readonly node: number;
  readonly serviceType: string;
  readonly supplier: string | null;
  readonly contents: readonly { readonly service: string; readonly quantity: number }[];
  readonly purchases: readonly DraftPurchase[];
  readonly documents: readonly DraftDocument[];
}

export type DocumentKind = 'quotation' | 'specification' | 'comparison' | 'plan';

export interface DraftDocument {
  readonly kind: DocumentKind;
  readonly at: LocalTime;
}

const SEED = 42;
const PURPOSES = 300;
const OLDEST_DAYS = 730;
/** Above one: the nearer to today, the more. */
const DENSITY = 1.7;

const budgets: readonly (readonly [string | null, number])[] = [
  ['IT Operations Budget', 34],
  ['Capital Expenditure Fund', 20],
  ['Research & Development', 24],
  ['Infrastructure Modernization', 16],
  [null, 6],
];

const branches = ['UNIT', 'CENTER'];
const weightedNodes = nodes.map(({ number, type }) => [number, branches.includes(type) ? 1 : 4] as const);

/** In the order of their creation. */
export function draftPurposes(now: LocalTime): readonly Draft[] {
  const taken = new Set<string>();
  return creations(now).map((created, index) => {
    // Numbers of its own: what is drawn for one purpose changes no other.
    const seed = SEED * 1_000_003 + index;
    const random = new Random(seed);
    const language = random.weighted([
      ['en', 3],
      ['he', 2],
    ] as const);
    const type = random.pick(serviceTypes);
    const purchases = draftPurchases(created, now, random);
    return {
      seed: -seed,
      language,
      officer: random.pick(officers),
      created,
      description: describe(type.name, language, taken, random),
      node: random.weighted(weightedNodes),
      serviceType: type.name,
      // Often the supplier is chosen later.
      supplier: purchases.length > 0 || random.chance(0.5) ? random.pick(type.suppliers) : null,
      contents: random.sample(type.services, random.integer(1, 3)).map((service) => ({
        service,
        quantity: random.chance(0.8) ? random.integer(1, 6) : random.integer(2, 12) * 5,
      })),
      purchases,
      documents: draftDocuments(created, now, random),
    };
  });
}

/** One purpose of eleven has some. */
function draftDocuments(created: LocalTime, now: LocalTime, random: Random): DraftDocument[] {
  const count = random.chance(0.09) ? random.integer(1, 2) : 0;
  return random
    .sample<DocumentKind>(['quotation', 'specification', 'comparison', 'plan'], count)
    .map((kind) => ({
      kind,
      at: duringDay(workdayAfter(created, random.integer(0, 3)), created, random),
    }))
    .filter(({ at }) => at <= now);
}

function creations(now: LocalTime): LocalTime[] {
  const random = new Random(SEED);
  return Array.from({ length: PURPOSES }, (_, index) => {
    const share = (PURPOSES - index - random.next()) / PURPOSES;
    let day = now - OLDEST_DAYS * DAY * share ** DENSITY;
    while (!isWorkday(day)) day -= DAY;
    const time = duringDay(day, 0, random);
    return time <= now ? time : duringDay(workdayBefore(now), 0, random);
  }).toSorted((one, other) => one - other);
}

function workdayBefore(time: LocalTime): LocalTime {
  let day = time - DAY;
  while (!isWorkday(day)) day -= DAY;
  return day;
}

function describe(type: string, language: Language, taken: Set<string>, random: Random): string {
  const list = titles[type]?.[language] ?? [];
  for (;;) {
    const title = `${random.pick(list)}${random.pick(suffixes[language])}`;
    if (taken.has(title)) continue;
    taken.add(title);
    return title;
  }
}

/** None, one or two; those that would come after `now` are not there yet. */
function draftPurchases(created: LocalTime, now: LocalTime, random: Random): DraftPurchase[] {
  if (random.chance(0.03)) return [];
  const first = draftPurchase(created, random.integer(0, 8), random);
  const second = random.chance(0.22) ? [draftPurchase(first.created, random.integer(1, 8), random)] : [];
  return [first, ...second].filter((purchase) => purchase.created <= now);
}

function draftPurchase(after: LocalTime, workdays: number, random: Random): DraftPurchase {
  return {
    created: duringDay(workdayAfter(after, workdays), after, random),
    budget: random.weighted(budgets),
    costs: draftCosts(random),
  };
}

/** As the form lets people enter them: shekels stand alone, two lines are one of each kind of dollars. */
function draftCosts(random: Random): DraftPurchase['costs'] {
  const line = (currency: string, from: number, to: number) => ({
    currency,
    amount: amountBetween(from, to, random),
  });
  return random.weighted([
    [() => [line('ILS', 4_000, 850_000)], 42],
    [() => [line('SUPPORT_USD', 3_000, 380_000)], 19],
    [() => [line('SUPPORT_USD', 400_000, 900_000)], 6],
    [() => [line('AVAILABLE_USD', 2_000, 600_000)], 15],
    [() => [line('SUPPORT_USD', 3_000, 190_000), line('AVAILABLE_USD', 2_000, 190_000)], 12],
    [() => [line('SUPPORT_USD', 250_000, 600_000), line('AVAILABLE_USD', 160_000, 400_000)], 6],
  ])();
}

/** Small amounts are more frequent than large ones, and most are round. */
function amountBetween(from: number, to: number, random: Random): string {
  const exact = from * (to / from) ** random.next();
  const step = 10 ** Math.floor(Math.log10(exact) - 1) / 2;
  const round = Math.max(from, Math.floor(exact / step) * step);
  return random.chance(0.15) ? `${round}.90` : String(round);
}
