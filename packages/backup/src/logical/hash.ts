import type pg from 'pg';
import { z } from 'zod';
import { withTextSession } from './session.ts';
import { columnList, describeTables, quoted, type Table } from './tables.ts';

export interface TableDigest {
  readonly table: string;
  readonly rows: number;
  /** 32 hexadecimal digits. Equal for equal rows, in whatever order they lie, on any server. */
  readonly digest: string;
}

export interface DigestOptions {
  /** Left out: all tables of the schema public. */
  readonly tables?: readonly string[];
  readonly signal?: AbortSignal;
  /** The first statement of the transaction: its snapshot is the one that all digests see. */
  readonly first?: (client: pg.ClientBase) => Promise<void>;
}

const digestRow = z.object({ rows: z.coerce.number(), digest: z.string() });

/** What is in the tables, in one snapshot of all of them, so that two databases can be compared. */
export async function tableDigests(
  connectionString: string,
  { tables: wanted, signal, first }: DigestOptions = {},
): Promise<TableDigest[]> {
  return withTextSession(connectionString, { application: 'calculaud digest', signal }, async (client) => {
    await client.query('begin transaction isolation level repeatable read, read only');
    await first?.(client);
    const all = await describeTables(client);
    const missing = wanted?.filter((name) => !all.some((table) => table.name === name)) ?? [];
    if (missing.length > 0) throw new Error(`There is no table ${missing.join(', ')}.`);
    const digests: TableDigest[] = [];
    for (const table of all) {
      if (wanted?.includes(table.name) ?? table.readable) digests.push(await digestOf(client, table));
    }
    await client.query('commit');
    return digests;
  });
}

/**
 * The sum of the rows' own hashes, each as two numbers of 64 bits: no sorting, and no memory that grows with the table.
 * Columns stand in the order of their names, because a database that was taken over may have them in another one.
 */
async function digestOf(client: pg.ClientBase, { name, columns }: Table): Promise<TableDigest> {
  const sorted = columns.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const half = (from: number): string =>
    `lpad(to_hex((coalesce(sum(('x' || substr(hash, ${from}, 16))::bit(64)::bigint::numeric), 0) % 9223372036854775808)::bigint), 16, '0')`;
  const { rows } = await client.query(`/* logical.digest */
    select count(*) as rows, ${half(1)} || ${half(17)} as digest
    from (select md5(row(${columnList(sorted)})::text) as hash from ${quoted(name)}) hashed`);
  return { table: name, ...digestRow.parse(rows[0]) };
}
