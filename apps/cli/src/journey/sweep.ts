import { z } from 'zod';
import type { Api } from './api.ts';
import { isMarked, MARK } from './marks.ts';

/** Younger ones may belong to a check that is still under way. */
const ABANDONED_AFTER_MS = 15 * 60 * 1000;

const found = z.object({
  items: z.array(z.object({ id: z.int(), description: z.string().nullable(), creation_time: z.string() })),
});

/** Removes what killed journeys and probers left behind; by the server's clock, whatever ours says. */
export async function sweep(api: Api): Promise<number> {
  const search = new URLSearchParams({ search: MARK, sort_order: 'asc', limit: '200' });
  const call = { method: 'GET', path: `/purposes/summaries?${search.toString()}` } as const;
  const { items } = await api.read(call, 200, found);
  const { headers } = await api.expect({ method: 'GET', path: '/purposes/summaries?limit=1' }, 200);
  const now = typeof headers['date'] === 'string' ? Date.parse(headers['date']) : Date.now();
  const abandoned = items.filter(
    ({ description, creation_time }) =>
      isMarked(description) && now - Date.parse(creation_time) > ABANDONED_AFTER_MS,
  );
  for (const { id } of abandoned) await removePurpose(api, id);
  return abandoned.length;
}

/** With its files. Another one may have been faster. */
export async function removePurpose(api: Api, id: number): Promise<void> {
  await api.expect({ method: 'DELETE', path: `/purposes/${id}?delete_files=true` }, 204, 404);
}
