import type { Database } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { systemPrincipal } from '../identity/service.ts';
import { updateFlags } from './queries.ts';

/** Flags purposes that nothing moves any more, and unflags those that it flagged and that move again. */
export async function runAutoFlag(
  db: Database,
  today: string,
  defaultDays: number,
): Promise<{ readonly flagged: number; readonly unflagged: number }> {
  const principalId = await systemPrincipal(db, 'auto-flag', 'Auto-flag');
  return transaction(db, { principalId, requestId: null }, (tx) => updateFlags(tx, today, defaultDays));
}
