import { sql } from 'kysely';
import type { Role } from '@calculaud/contract/permissions';
import type { Executor } from '@calculaud/db/database';

export interface PrincipalValues {
  readonly kind: 'person' | 'system';
  readonly subject: string;
  readonly name: string;
  readonly email: string | null;
}

/** Answers the id of the principal; writes only when it is new or its name or address has changed. */
export async function savePrincipal(
  db: Executor,
  { kind, subject, name, email }: PrincipalValues,
): Promise<number> {
  const { rows } = await sql<{ id: number }>`/* identity.save-principal */
    with known as (
      select id from principal
      where kind = ${kind} and subject = ${subject} and name = ${name} and email is not distinct from ${email}
    ), saved as (
      insert into principal (kind, subject, name, email)
      select ${kind}, ${subject}, ${name}, ${email} where not exists (select from known)
      on conflict (kind, subject) do update set name = excluded.name, email = excluded.email
      returning id
    )
    select id from known union all select id from saved`.execute(db);
  const [principal] = rows;
  if (!principal) {
    throw new Error('saving a principal returned no row');
  }
  return principal.id;
}

export interface StoredToken {
  readonly principal_id: number;
  readonly name: string;
  readonly role: Role;
  readonly secret_hash: Buffer;
  readonly revoked: boolean;
  readonly expired: boolean;
  /** Its last use was written down longer than a minute ago, or never. */
  readonly use_is_due: boolean;
}

export async function findToken(db: Executor, id: number): Promise<StoredToken | undefined> {
  const { rows } = await sql<StoredToken>`/* identity.find-token */
    select t.principal_id, p.name, t.role, t.secret_hash,
      t.revoked_at is not null as revoked,
      coalesce(t.expires_at <= now(), false) as expired,
      coalesce(t.last_used_at < now() - interval '1 minute', true) as use_is_due
    from api_token t join principal p on p.id = t.principal_id
    where t.id = ${id}`.execute(db);
  return rows[0];
}

/** Asks again whether it is due: many requests and servers may have seen that it was. */
export async function noteUse(db: Executor, id: number): Promise<void> {
  await sql`/* identity.note-use */
    update api_token set last_used_at = now()
    where id = ${id} and coalesce(last_used_at < now() - interval '1 minute', true)`.execute(db);
}

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly expiresAt: Date | undefined;
  readonly secretHash: Buffer;
}

/** The token and the principal that acts with it, in one statement; answers the token's id. */
export async function insertToken(
  db: Executor,
  { name, role, expiresAt, secretHash }: NewToken,
): Promise<number> {
  const { rows } = await sql<{ id: number }>`/* identity.insert-token */
    with numbered as (
      select nextval(pg_get_serial_sequence('api_token', 'id'))::integer as id
    ), holder as (
      insert into principal (kind, subject, name) select 'token', id::text, ${name} from numbered returning id
    )
    insert into api_token (id, principal_id, role, secret_hash, expires_at)
    select numbered.id, holder.id, ${role}, ${secretHash}, ${expiresAt ?? null} from numbered, holder
    returning id`.execute(db);
  const [token] = rows;
  if (!token) {
    throw new Error('creating an API token returned no row');
  }
  return token.id;
}

export interface ListedToken {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly created_at: Date;
  readonly created_by: string | null;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
  readonly state: 'active' | 'expired' | 'revoked';
}

export async function listTokens(db: Executor): Promise<ListedToken[]> {
  const { rows } = await sql<ListedToken>`/* identity.list-tokens */
    select t.id, p.name, t.role, t.created_at, creator.name as created_by, t.expires_at, t.revoked_at, t.last_used_at,
      case when t.revoked_at is not null then 'revoked' when t.expires_at <= now() then 'expired' else 'active' end as state
    from api_token t
    join principal p on p.id = t.principal_id
    left join principal creator on creator.id = t.created_by
    order by t.id`.execute(db);
  return rows;
}

/** A token that is revoked already keeps the time; false when there is no such token. */
export async function revokeToken(db: Executor, id: number): Promise<boolean> {
  const { rows } = await sql`/* identity.revoke-token */
    with revoked as (
      update api_token set revoked_at = now(), revoked_by = acting_principal()
      where id = ${id} and revoked_at is null
    )
    select from api_token where id = ${id}`.execute(db);
  return rows.length > 0;
}
