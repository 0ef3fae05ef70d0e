import { z } from 'zod';
import { COLOURS, type ReleaseState } from '../stack/release-state.ts';
import type { LedgerEntry } from './ledger.ts';

/** What older entries say, too. */
const answering = z.looseObject({
  active: z.enum(COLOURS),
  blue: z.looseObject({ image: z.string() }).nullable(),
  green: z.looseObject({ image: z.string() }).nullable(),
});

/**
 * Since when the version that runs has answered users without a break, as the ledger has it; undefined when it does not
 * say, as after the loss of its beginning.
 */
export function answeringSince(entries: readonly LedgerEntry[], release: ReleaseState): Date | undefined {
  const image = release[release.active]?.image;
  let since: string | undefined;
  for (const { release: then, at } of entries.toReversed()) {
    const parsed = answering.safeParse(then);
    // What changes nothing there (exec, scale) says nothing about it.
    if (!parsed.success) continue;
    const { active, ...colours } = parsed.data;
    if (colours[active]?.image !== image) break;
    since = at;
  }
  return since === undefined ? undefined : new Date(since);
}
