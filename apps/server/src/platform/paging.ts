import type { Config } from '@calculaud/config/config';
import { InvalidInput } from './validation.ts';

export interface Page {
  readonly page: number;
  readonly limit: number;
  readonly offset: number;
}

/** The page that was asked for, within the configured bounds (contract 2.1.9). */
export function pageOf(
  query: { readonly page: number; readonly limit?: number | undefined },
  paging: Config['paging'],
): Page {
  const limit = query.limit ?? paging.defaultSize;
  if (limit > paging.maxSize) {
    throw new InvalidInput([
      {
        type: 'less_than_equal',
        loc: ['query', 'limit'],
        msg: `Input should be less than or equal to ${paging.maxSize}`,
        input: limit,
        ctx: { le: paging.maxSize },
      },
    ]);
  }
  return { page: query.page, limit, offset: (query.page - 1) * limit };
}

/** The envelope of a list around items that are finished JSON: the text of an array, or the bytes of each item. */
export function envelope(items: string | readonly Buffer[], total: number, { page, limit }: Page): Buffer {
  const pages = Math.ceil(total / limit);
  const end = `,"total":${total},"page":${page},"limit":${limit},"pages":${pages},"has_next":${page < pages},"has_prev":${page > 1}}`;
  return typeof items === 'string'
    ? Buffer.from(`{"items":${items}${end}`)
    : Buffer.concat([
        Buffer.from('{"items":['),
        ...items.flatMap((item, position) => (position === 0 ? [item] : [COMMA, item])),
        Buffer.from(`]${end}`),
      ]);
}

const COMMA = Buffer.from(',');
