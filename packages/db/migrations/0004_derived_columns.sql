-- Derived columns are kept here, so that no writer (service, job, SQL by hand) can forget them.
-- Lock order everywhere: purpose, then purchase, then stage. Whoever edits below a purpose locks the purpose first.

-- Date-times leave as ISO 8601 in UTC with Z and six digits of a second.
create function utc_iso(instant timestamptz) returns text
  language sql stable parallel safe
  return to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

create function acting_principal() returns integer
  language sql stable
  return nullif(current_setting('calculaud.principal_id', true), '')::integer;

create function this_transaction() returns bigint
  language sql stable
  return pg_current_xact_id()::text::bigint;

-- The version of a row that this transaction changes, whether or not it has changed it before.
create function next_version(version integer, raised_by bigint) returns integer
  language sql stable
  return case when raised_by is distinct from this_transaction() then version + 1 else version end;

-- Who and when of rows that nothing else is derived from. To write what is there already is no change.
create function stamp_row() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.created_by := coalesce(new.created_by, acting_principal());
  elsif new is not distinct from old then
    return new;
  else
    new.updated_at := now();
  end if;
  new.updated_by := coalesce(acting_principal(), new.updated_by);
  return new;
end $$;

create function stamp_creator() returns trigger language plpgsql as $$
begin
  new.created_by := coalesce(new.created_by, acting_principal());
  return new;
end $$;

create trigger stamp before insert or update on hierarchy for each row execute function stamp_row();
create trigger stamp before insert or update on supplier for each row execute function stamp_row();
create trigger stamp before insert or update on service_type for each row execute function stamp_row();
create trigger stamp before insert or update on service for each row execute function stamp_row();
create trigger stamp before insert or update on budget_source for each row execute function stamp_row();
create trigger stamp before insert or update on responsible_authority for each row execute function stamp_row();
create trigger stamp before insert or update on stage_type for each row execute function stamp_row();
create trigger stamp before insert or update on predefined_flow for each row execute function stamp_row();
create trigger stamp before insert or update on file_attachment for each row execute function stamp_row();
create trigger stamp before insert or update on purchase for each row execute function stamp_row();
create trigger stamp before insert on cost for each row execute function stamp_creator();
create trigger stamp before insert on purpose_content for each row execute function stamp_creator();

-- A purpose is touched (last_modified, version) when one of its own columns really changes, or by what belongs to it,
-- which calls touch_purposes. An explicit last_modified wins. Times are those of the clock and not of the start of the
-- transaction: who waited for the lock must not date a change before the one that he waited for.
create function stamp_purpose() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.created_by := coalesce(new.created_by, acting_principal());
    new.updated_by := coalesce(new.updated_by, new.created_by);
    new.current_status_changed_at := coalesce(new.current_status_changed_at, new.creation_time);
    new.version_transaction := this_transaction();
    return new;
  end if;
  if new.status is distinct from old.status
    and new.current_status_changed_at is not distinct from old.current_status_changed_at then
    new.current_status_changed_at := clock_timestamp();
  end if;
  if (new.description, new.status, new.comments, new.expected_delivery, new.hierarchy_id, new.supplier_id,
      new.service_type_id, new.is_flagged)
    is distinct from (old.description, old.status, old.comments, old.expected_delivery, old.hierarchy_id,
      old.supplier_id, old.service_type_id, old.is_flagged) then
    new.version := next_version(old.version, old.version_transaction);
    new.version_transaction := this_transaction();
    if new.last_modified = old.last_modified then
      new.last_modified := clock_timestamp();
    end if;
  end if;
  if new.version <> old.version then
    new.updated_by := coalesce(acting_principal(), new.updated_by);
  end if;
  return new;
end $$;
create trigger stamp before insert or update on purpose for each row execute function stamp_purpose();

create function record_status_change() returns trigger language plpgsql as $$
begin
  insert into purpose_status_history (purpose_id, previous_status, new_status, changed_at, changed_by, changed_by_id)
  values (
    new.id,
    case when tg_op = 'UPDATE' then old.status end,
    new.status,
    coalesce(new.current_status_changed_at, now()),
    (select left(name, 255) from principal where id = acting_principal()),
    acting_principal()
  );
  return null;
end $$;
create trigger record_status_insert after insert on purpose
  for each row execute function record_status_change();
create trigger record_status_update after update of status on purpose
  for each row when (old.status is distinct from new.status) execute function record_status_change();

create function touch_purposes(ids integer[]) returns void
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  update purpose
  set version = version + 1, version_transaction = this_transaction(), last_modified = clock_timestamp()
  where id = any(ids) and version_transaction is distinct from this_transaction();
end $$;

-- The time a stage was started (first work on it) and done, and by whom. Reopening clears the end.
create function stamp_stage() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.created_by := coalesce(new.created_by, acting_principal());
    if new.completion_date is not null then
      new.done_at := coalesce(new.done_at, clock_timestamp());
      new.done_by := coalesce(new.done_by, acting_principal());
    end if;
    return new;
  end if;
  if (new.value, new.note, new.completion_date, new.priority, new.stage_type_id, new.custom_name, new.started_at)
    is distinct from
    (old.value, old.note, old.completion_date, old.priority, old.stage_type_id, old.custom_name, old.started_at) then
    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
    new.updated_by := coalesce(acting_principal(), new.updated_by);
  end if;
  if (new.value, new.note, new.completion_date) is distinct from (old.value, old.note, old.completion_date) then
    new.started_at := coalesce(new.started_at, clock_timestamp());
    new.started_by := coalesce(new.started_by, acting_principal());
  end if;
  if old.completion_date is null and new.completion_date is not null then
    new.done_at := clock_timestamp();
    new.done_by := acting_principal();
  elsif new.completion_date is null then
    new.done_at := null;
    new.done_by := null;
  end if;
  return new;
end $$;
create trigger stamp before insert or update on stage for each row execute function stamp_stage();

-- The three functions below run at every edit. Their plans are made once and use indexes even while the tables are
-- small: planned anew for every call they took 2 of the 3.4 ms of processor time that completing a stage took, and a
-- plan made for small tables would scan them when they have grown.

-- What follows from the stages of a purchase: where it stands, whom it waits for and since when, and of each stage when
-- it became ready and the date it is counted from. `touched`: somebody edited it, so its version rises. Rows that do not
-- change are not written.
create function refresh_purchase(one integer, touched boolean) returns void
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  level integer;
  since date;
  authority integer;
begin
  select min(priority) into level from stage where purchase_id = one and completion_date is null;
  select max(completion_date) into since from stage where purchase_id = one and priority = level - 1;
  select t.responsible_authority_id into authority
  from stage s join stage_type t on t.id = s.stage_type_id
  where s.purchase_id = one and t.responsible_authority_id is not null
  order by s.completion_date is not null,
    case when s.completion_date is null then s.priority else -s.priority end, s.stage_type_id
  limit 1;

  update purchase
  set current_priority = level, waiting_since = since, pending_authority_id = authority,
    version = case when touched then next_version(version, version_transaction) else version end,
    version_transaction = case when touched then this_transaction() else version_transaction end
  where id = one
    and (touched and version_transaction is distinct from this_transaction()
      or (current_priority, waiting_since, pending_authority_id) is distinct from (level, since, authority));

  update stage s
  set previous_completion_date = n.previous_completion_date, ready_at = n.ready_at
  from (
    select id,
      max(completion_date) over (order by priority range between 1 preceding and 1 preceding) as previous_completion_date,
      case
        when completion_date is not null then ready_at
        when priority = level then coalesce(ready_at, clock_timestamp())
      end as ready_at
    from stage where purchase_id = one
  ) n
  where n.id = s.id
    and (s.previous_completion_date, s.ready_at) is distinct from (n.previous_completion_date, n.ready_at);
end $$;

-- What follows from the purchases and stages of a purpose.
create function refresh_purpose(one integer, touched boolean) returns void
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  since date;
  authority integer;
begin
  select min(waiting_since) into since from purchase where purpose_id = one;
  select t.responsible_authority_id into authority
  from purchase p join stage s on s.purchase_id = p.id join stage_type t on t.id = s.stage_type_id
  where p.purpose_id = one and t.responsible_authority_id is not null
  order by s.completion_date is not null,
    case when s.completion_date is null then s.priority else -s.priority end, s.stage_type_id
  limit 1;

  update purpose
  set waiting_since = since, pending_authority_id = authority,
    version = case when touched then next_version(version, version_transaction) else version end,
    version_transaction = case when touched then this_transaction() else version_transaction end,
    last_modified = case when touched then clock_timestamp() else last_modified end
  where id = one
    and (touched and version_transaction is distinct from this_transaction()
      or (waiting_since, pending_authority_id) is distinct from (since, authority));
end $$;

-- Everything from scratch, for whoever writes stages around the triggers. Nothing is touched by it.
create function refresh_progress(ids integer[]) returns void
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  perform from purpose where id = any(ids) order by id for no key update;
  perform refresh_purchase(id, false) from purchase where purpose_id = any(ids);
  perform refresh_purpose(id, false) from unnest(ids) id;
end $$;

-- For what a person edits on a purchase or below it, and nothing else follows from. The purpose is touched by the
-- trigger on the purchase.
create function touch_purchases(ids integer[]) returns void
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  update purchase set version = version + 1, version_transaction = this_transaction()
  where id = any(ids) and version_transaction is distinct from this_transaction();
end $$;

-- Stages. The triggers skip what they themselves write (depth > 0); a cascade from a purchase is handled there.
create function stages_changed() returns trigger
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  purchases integer[];
  purposes integer[];
begin
  if tg_op = 'INSERT' then
    select array_agg(distinct purchase_id) into purchases from new_rows;
  elsif tg_op = 'DELETE' then
    select array_agg(distinct purchase_id) into purchases from old_rows;
  else
    select array_agg(distinct purchase_id) into purchases
    from (select purchase_id from new_rows union select purchase_id from old_rows) either;
  end if;
  if purchases is null then
    return null;
  end if;
  select array_agg(distinct purpose_id) into purposes from purchase where id = any(purchases);
  perform from purpose where id = any(purposes) order by id for no key update;
  perform refresh_purchase(id, true) from unnest(purchases) id;
  -- Not left to the trigger on purchase: an edit may change something on a purpose and nothing on its purchase.
  perform refresh_purpose(id, true) from unnest(purposes) id;
  return null;
end $$;
create trigger changed_insert after insert on stage referencing new table as new_rows
  for each statement when (pg_trigger_depth() = 0) execute function stages_changed();
create trigger changed_update after update on stage referencing old table as old_rows new table as new_rows
  for each statement when (pg_trigger_depth() = 0) execute function stages_changed();
create trigger changed_delete after delete on stage referencing old table as old_rows
  for each statement when (pg_trigger_depth() = 0) execute function stages_changed();

-- Purchases touch their purpose when they come, change in what a person edits, or go. The version stands for
-- changes of stages and costs too.
create function purchases_changed() returns trigger
language plpgsql set plan_cache_mode = force_generic_plan as $$
begin
  if tg_op = 'INSERT' then
    -- It has no stages yet.
    perform touch_purposes(array(select distinct purpose_id from new_rows));
  elsif tg_op = 'DELETE' then
    perform refresh_purpose(purpose_id, true) from (select distinct purpose_id from old_rows order by 1) gone;
  else
    perform refresh_purpose(purpose_id, true)
    from (
      select distinct n.purpose_id from new_rows n join old_rows o using (id) where n.version <> o.version order by 1
    ) edited;
  end if;
  return null;
end $$;
create trigger changed_insert after insert on purchase referencing new table as new_rows
  for each statement execute function purchases_changed();
create trigger changed_update after update on purchase referencing old table as old_rows new table as new_rows
  for each statement execute function purchases_changed();
create trigger changed_delete after delete on purchase referencing old table as old_rows
  for each statement execute function purchases_changed();

-- An edit of a purchase raises its version, also by the foreign keys that clear a deleted budget source or flow.
create function version_purchase() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.version_transaction := this_transaction();
  elsif (new.budget_source_id, new.predefined_flow_id)
    is distinct from (old.budget_source_id, old.predefined_flow_id) then
    new.version := next_version(old.version, old.version_transaction);
    new.version_transaction := this_transaction();
  end if;
  return new;
end $$;
create trigger version before insert or update on purchase for each row execute function version_purchase();

create function costs_changed() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform touch_purchases(array(select distinct purchase_id from new_rows));
  elsif tg_op = 'DELETE' then
    perform touch_purchases(array(select distinct purchase_id from old_rows));
  else
    perform touch_purchases(array(select purchase_id from new_rows union select purchase_id from old_rows));
  end if;
  return null;
end $$;
create trigger changed_insert after insert on cost referencing new table as new_rows
  for each statement execute function costs_changed();
create trigger changed_update after update on cost referencing old table as old_rows new table as new_rows
  for each statement execute function costs_changed();
create trigger changed_delete after delete on cost referencing old table as old_rows
  for each statement execute function costs_changed();

create function contents_changed() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform touch_purposes(array(select distinct purpose_id from new_rows));
  elsif tg_op = 'DELETE' then
    perform touch_purposes(array(select distinct purpose_id from old_rows));
  else
    perform touch_purposes(array(select purpose_id from new_rows union select purpose_id from old_rows));
  end if;
  return null;
end $$;
create trigger changed_insert after insert on purpose_content referencing new table as new_rows
  for each statement execute function contents_changed();
create trigger changed_update after update on purpose_content referencing old table as old_rows new table as new_rows
  for each statement execute function contents_changed();
create trigger changed_delete after delete on purpose_content referencing old table as old_rows
  for each statement execute function contents_changed();

-- Whom the given purposes and their purchases wait for, and nothing else of what refresh_progress works out: one pass,
-- because it may be about every purpose. The first stage in the order of the array decides.
create function refresh_authorities(ids integer[]) returns void language plpgsql as $$
begin
  with deciding as materialized (
    select p.purpose_id, p.id as purchase_id, (
      select min(array[
        (s.completion_date is not null)::integer,
        case when s.completion_date is null then s.priority else -s.priority end,
        s.stage_type_id,
        t.responsible_authority_id])
      from stage s join stage_type t on t.id = s.stage_type_id
      where s.purchase_id = p.id and t.responsible_authority_id is not null
    ) as stage
    from unnest(ids) given (id) join purchase p on p.purpose_id = given.id
  ), of_purchases as (
    update purchase p set pending_authority_id = d.stage[4]
    from deciding d
    where d.purchase_id = p.id and p.pending_authority_id is distinct from d.stage[4]
  )
  update purpose o set pending_authority_id = d.stage[4]
  from (select purpose_id, min(stage) as stage from deciding group by purpose_id) d
  where d.purpose_id = o.id and o.pending_authority_id is distinct from d.stage[4];
end $$;

-- Another authority of stage types changes who the purposes wait for, in their derived columns only. Every writer of
-- stages locks a purpose first; this lock waits for those who are at it, so that the stages they add are seen here, and
-- lets later ones begin when they can see the new authority. Readers go on.
create function authorities_changed() returns trigger language plpgsql as $$
declare
  changed integer[];
begin
  select array_agg(n.id) into changed
  from new_rows n join old_rows o using (id)
  where n.responsible_authority_id is distinct from o.responsible_authority_id;
  if changed is not null then
    lock table purpose in exclusive mode;
    perform refresh_authorities(array(
      select distinct p.purpose_id from stage s join purchase p on p.id = s.purchase_id
      where s.stage_type_id = any(changed)));
  end if;
  return null;
end $$;
create trigger authorities_changed after update on stage_type referencing old table as old_rows new table as new_rows
  for each statement execute function authorities_changed();

-- Before the foreign keys clear what refers to the authority: they would write null into all those purposes first, and
-- then the next authority. (100,000 purposes, 3 stage types, busy machine: 53 and 40 s; by refresh_progress over 10 min.)
create function release_authority() returns trigger language plpgsql as $$
begin
  update stage_type set responsible_authority_id = null where responsible_authority_id = old.id;
  return old;
end $$;
create trigger release before delete on responsible_authority for each row execute function release_authority();

-- The audit trail. Derived columns and stamps alone are no entry of their own: they follow from one.
create function record_audit() returns trigger language plpgsql as $$
declare
  derived constant text[] := array['version', 'version_transaction', 'last_modified', 'updated_at', 'updated_by',
    'pending_authority_id', 'waiting_since', 'current_priority', 'previous_completion_date', 'ready_at', 'current_status_changed_at',
    'path'];
  before jsonb;
  after jsonb;
begin
  if tg_op <> 'INSERT' then before := to_jsonb(old); end if;
  if tg_op <> 'DELETE' then after := to_jsonb(new); end if;
  if tg_op = 'UPDATE' and before - derived = after - derived then
    return null;
  end if;
  insert into audit_entry (principal_id, request_id, action, entity, entity_id, before, after)
  values (acting_principal(), nullif(current_setting('calculaud.request_id', true), ''), lower(tg_op), tg_table_name,
    coalesce(after ->> tg_argv[0], before ->> tg_argv[0])::integer, before, after);
  return null;
end $$;

create trigger audit after insert or update or delete on hierarchy for each row execute function record_audit('id');
create trigger audit after insert or update or delete on supplier for each row execute function record_audit('id');
create trigger audit after insert or update or delete on service_type for each row execute function record_audit('id');
create trigger audit after insert or update or delete on service for each row execute function record_audit('id');
create trigger audit after insert or update or delete on budget_source for each row execute function record_audit('id');
create trigger audit after insert or update or delete on responsible_authority for each row execute function record_audit('id');
create trigger audit after insert or update or delete on stage_type for each row execute function record_audit('id');
create trigger audit after insert or update or delete on predefined_flow for each row execute function record_audit('id');
create trigger audit after insert or update or delete on predefined_flow_stage for each row execute function record_audit('id');
create trigger audit after insert or update or delete on file_attachment for each row execute function record_audit('id');
create trigger audit after insert or update or delete on purpose for each row execute function record_audit('id');
create trigger audit after insert or update or delete on purpose_content for each row execute function record_audit('id');
create trigger audit after insert or update or delete on purpose_file_attachment for each row execute function record_audit('purpose_id');
create trigger audit after insert or update or delete on purchase for each row execute function record_audit('id');
create trigger audit after insert or update or delete on cost for each row execute function record_audit('id');
create trigger audit after insert or update or delete on stage for each row execute function record_audit('id');
