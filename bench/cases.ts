import * as analytics from '@calculaud/contract/analytics';
import { createPurchase } from '@calculaud/contract/purchases';
import { getPurpose, listPurposes, summarizePurposes } from '@calculaud/contract/purposes';
import { updateStage } from '@calculaud/contract/stages';
import type { Request } from './client.ts';
import { SEARCHES } from './dataset.ts';
import type { Subjects } from './subjects.ts';

export interface Case {
  readonly name: string;
  /** A list is held to 50 ms, a broad search and a page that nobody asked for lately to the bare SQL only; analytics to 300 ms. */
  readonly kind: 'list' | 'broad' | 'unseen' | 'analytics' | 'record';
  /** The next request of this kind. */
  readonly request: () => Request;
}

type Parameters = Readonly<Record<string, string>>;

const PREFIX = '/api/v1';
const documentedSorts = ['creation_time', 'last_modified', 'expected_delivery', 'days_since_last_completion'];
/** More than the server keeps. */
const UNSEEN_PAGES = Array.from({ length: 400 }, (_, n) => n + 2);
const otherSorts = [
  'id',
  'description',
  'status',
  'comments',
  'hierarchy_id',
  'supplier_id',
  'service_type_id',
  'is_flagged',
  'current_status_changed_at',
];

/** Everything that is measured at the chosen concurrency, in this order. */
export function casesOf(subjects: Subjects, purposes: number): readonly Case[] {
  const { start, end } = subjects.month;
  const dates = { start_date: start, end_date: end };
  return [
    list('list page', {}),
    {
      name: 'list page, another one each time',
      kind: 'unseen',
      request: each(UNSEEN_PAGES, (page) => get(listPurposes.path, { limit: '50', page: String(page) })),
    },
    {
      name: 'summaries page',
      kind: 'list',
      request: () => get(summarizePurposes.path, { limit: '50' }),
    },
    ...Object.entries(SEARCHES).map(([breadth, search]) =>
      list(`search, ${breadth}`, { search: text(search) }, breadth === 'selective' ? 'list' : 'broad'),
    ),
    list('filter start_date, end_date: 30 days', dates),
    ...Object.entries(subjects.filters).map(([name, value]) => list(`filter ${name}`, { [name]: value })),
    ...documentedSorts.flatMap((sort_by) =>
      ['desc', 'asc']
        .filter((sort_order) => sort_by !== 'creation_time' || sort_order === 'asc')
        .map((sort_order) => list(`sort ${sort_by} ${sort_order}`, { sort_by, sort_order })),
    ),
    ...otherSorts.map((sort_by) => list(`sort ${sort_by} desc`, { sort_by })),
    list('deep page (the middle one)', { page: String(Math.max(1, Math.floor(purposes / 100))) }),
    {
      name: 'one purpose',
      kind: 'record',
      request: each(subjects.purposeIds, (id) =>
        get(getPurpose.path.replace('{purpose_id}', String(id)), {}),
      ),
    },
    ...analyticsCases({ ...dates, apply_dates: 'true' }),
    {
      name: 'create a purchase',
      kind: 'record',
      request: each(subjects.purposeIds, (purpose_id) =>
        post(createPurchase.path, { purpose_id, costs: [{ currency: 'SUPPORT_USD', amount: 120_000.5 }] }),
      ),
    },
    {
      name: 'complete a stage',
      kind: 'record',
      request: each(subjects.pendingStageIds, (id) => ({
        ...post(updateStage.path.replace('{stage_id}', String(id)), { completion_date: end }),
        method: 'PATCH',
      })),
    },
  ];
}

function analyticsCases(dates: Parameters): readonly Case[] {
  return Object.values(analytics).flatMap(({ path }) => {
    const route = path.replace('{status}', 'COMPLETED');
    const measured = (suffix: string, parameters: Parameters): Case => ({
      name: `${route.slice(1).replace('/', ' ')}${suffix}`,
      kind: 'analytics',
      request: () => get(route, parameters),
    });
    return [measured('', {}), measured(', 30 days', dates)];
  });
}

function list(name: string, parameters: Parameters, kind: Case['kind'] = 'list'): Case {
  return { name, kind, request: () => get(listPurposes.path, { limit: '50', ...parameters }) };
}

function text(given: string | undefined): string {
  if (given === undefined) {
    throw new Error('the data set has no such text');
  }
  return given;
}

/** Another id in every request. Only a small database has so few that one comes again. */
function each(ids: readonly number[], requestOf: (id: number) => Request): Case['request'] {
  let next = 0;
  return () => {
    const id = ids[next % ids.length];
    next += 1;
    if (id === undefined) {
      throw new Error('there is no record to ask for');
    }
    return { ...requestOf(id), subject: id };
  };
}

function get(path: string, parameters: Parameters): Request {
  const query = new URLSearchParams(parameters).toString();
  return { method: 'GET', path: `${PREFIX}${path}${query === '' ? '' : `?${query}`}` };
}

function post(path: string, body: object): Request {
  return { method: 'POST', path: `${PREFIX}${path}`, body: JSON.stringify(body) };
}
