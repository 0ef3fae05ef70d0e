-- Who did what, from the first day. A principal is anybody or anything that acts: a person of the identity provider,
-- an API token, the system itself. Writers name theirs in the transaction-local setting calculaud.principal_id.

create table principal (
  id serial primary key,
  kind text not null check (kind in ('person', 'token', 'system')),
  subject text not null,
  name text not null,
  email text,
  created_at timestamptz not null default now(),
  constraint principal_kind_subject_key unique (kind, subject)
);

-- version: rises by one with every transaction that changes the row or what belongs to it; the ETag of the v1 API.
-- version_transaction: the transaction that raised it last, so that its further statements do not raise it again.
-- current_priority: the lowest priority with a pending stage, null when nothing is pending.
-- waiting_since: the day the level before the current one was last completed (of a purpose: the earliest of its
-- purchases), so that "days since the last completion" is today minus it, at any time, without being rewritten.
alter table purpose
  add column version integer not null default 1,
  add column version_transaction bigint,
  add column pending_authority_id integer references responsible_authority on delete set null,
  add column waiting_since date,
  add column current_status_changed_at timestamptz,
  add column created_by integer references principal,
  add column updated_by integer references principal;
create index purpose_pending_authority_id_idx on purpose (pending_authority_id, creation_time, id);
-- The most days are the earliest date; purposes that do not wait come last, whichever way the days are sorted.
create index purpose_waiting_since_idx on purpose (waiting_since, id);
create index purpose_waiting_since_desc_idx on purpose (waiting_since desc nulls last, id desc);
create index purpose_current_status_changed_at_idx on purpose (current_status_changed_at, id);

alter table purchase
  add column version integer not null default 1,
  add column version_transaction bigint,
  add column current_priority integer,
  add column waiting_since date,
  add column pending_authority_id integer references responsible_authority on delete set null,
  add column created_by integer references principal,
  add column updated_by integer references principal,
  add column updated_at timestamptz not null default now();
create index purchase_pending_authority_id_idx on purchase (pending_authority_id);

-- previous_completion_date: the latest completion at exactly priority - 1, the start of this stage's own time.
alter table stage
  add column version integer not null default 1,
  add column previous_completion_date date,
  add column ready_at timestamptz,
  add column started_at timestamptz,
  add column started_by integer references principal,
  add column done_at timestamptz,
  add column done_by integer references principal,
  add column created_at timestamptz not null default now(),
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;

alter table purpose_status_history add column changed_by_id integer references principal;

alter table hierarchy
  add column created_at timestamptz not null default now(),
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;
alter table supplier
  add column created_at timestamptz not null default now(),
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;
alter table service_type
  add column created_at timestamptz not null default now(),
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;
alter table service
  add column created_at timestamptz not null default now(),
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;
alter table budget_source
  add column created_at timestamptz not null default now(),
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;
alter table responsible_authority
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;
alter table stage_type
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;
alter table predefined_flow
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;
alter table file_attachment
  add column created_by integer references principal,
  add column updated_at timestamptz not null default now(),
  add column updated_by integer references principal;
alter table cost
  add column created_at timestamptz not null default now(),
  add column created_by integer references principal;
alter table purpose_content
  add column created_at timestamptz not null default now(),
  add column created_by integer references principal;

-- One row a change, written by trigger in the same transaction. Not yet chained.
create table audit_entry (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  principal_id integer references principal,
  request_id text,
  action text not null check (action in ('insert', 'update', 'delete')),
  entity text not null,
  entity_id integer not null,
  before jsonb,
  after jsonb
);
create index audit_entry_entity_idx on audit_entry (entity, entity_id, id);
