import pg from 'pg';
import { DatabaseRefusal } from './refusal.ts';

const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';
const CANCELLED = '57014';

/** Others held what a statement needed; nothing is wrong with it. */
export function isLockTrouble(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === LOCK_NOT_AVAILABLE || error.code === DEADLOCK);
}

/** Somebody asked the server to give the statement up. */
export function isCancelled(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === CANCELLED;
}

interface Holder {
  readonly pid: number;
  readonly application: string;
  readonly role: string | null;
  /** Of the statement that it runs or ran last; null: only a member of pg_read_all_stats sees it. */
  readonly statement_since: string | null;
  readonly tables: string[] | null;
}

/** Says who is in the way. Asked after the wait ended: whoever was there all the time. */
export async function lockRefusal(
  client: pg.Client,
  message: string,
  waitedMs: number,
): Promise<DatabaseRefusal> {
  const holders = await holdersOf(client, waitedMs);
  return new DatabaseRefusal(
    message,
    holders.length === 0
      ? 'Nobody holds it any more. Run it again.'
      : `Wait for these transactions, which were open all the time, or end them, and run it again:\n${holders.map(described).join('\n')}`,
  );
}

/** Not what they run: a statement may hold values. */
async function holdersOf(client: pg.Client, waitedMs: number): Promise<readonly Holder[]> {
  const { rows } = await client.query<Holder>(
    `select a.pid, coalesce(a.application_name, '') as application, a.usename as role,
      to_char(a.query_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as statement_since, l.tables
    from pg_stat_activity a
    left join lateral (
      select array_agg(distinct c.relname::text) as tables
      from pg_locks held join pg_class c on c.oid = held.relation
      where held.pid = a.pid and held.granted and held.locktype = 'relation' and c.relkind in ('r', 'p')
        and c.relnamespace = 'public'::regnamespace
    ) l on true
    where a.datname = current_database() and a.pid <> pg_backend_pid()
      -- The times of other roles' sessions are hidden from most; then what they hold has to tell.
      and (a.xact_start <= clock_timestamp() - $1 * interval '1 millisecond'
        or a.xact_start is null and l.tables is not null)
    order by a.xact_start nulls last, a.pid
    limit 5`,
    [waitedMs],
  );
  return rows;
}

function described({ pid, application, role, statement_since, tables }: Holder): string {
  return [
    `  process ${pid} (${application || 'without a name'}, as ${role ?? 'nobody'})`,
    ...(tables ? [`holds ${tables.join(', ')}`] : []),
    ...(statement_since === null ? [] : [`last statement at ${statement_since}`]),
  ].join(', ');
}
