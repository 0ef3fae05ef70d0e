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

/** The envelope of a list around items that are finished JSON text already. */
export function envelope(items: string, total: number, { page, limit }: Page): string {
  const pages = Math.ceil(total / limit);
  return `{"items":${items},"total":${total},"page":${page},"limit":${limit},"pages":${pages},"has_next":${page < pages},"has_prev":${page > 1}}`;
}
