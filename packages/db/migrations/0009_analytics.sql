-- What the analytics ask of stages, costs and history, worked out once per change instead of once per question: the
-- questions go over a million stages, and must answer in 300 ms (docs/adr/0009-analytics.md has the figures).
-- analytics_purchase follows from the base tables alone, analytics_stage_days from analytics_purchase alone.

-- One row per purchase.
create table analytics_purchase (
  purchase_id integer primary key references purchase on delete cascade,
  purpose_id integer not null,
  -- Of the purpose; closed_at is the latest change to COMPLETED, whatever the status is now.
  created_at timestamptz not null,
  service_type_id integer,
  is_live boolean not null,
  closed_at timestamptz,
  budget_source_id integer,
  -- Sums of the costs in v1's three currencies; the rare others are read from the costs.
  ils numeric,
  support_usd numeric,
  available_usd numeric,
  -- The earliest completion of a stage of the type named emf_id: the start of the processing time.
  form_completed_on date,
  -- The pending stages at the lowest priority that has any.
  waiting_stage_type_ids integer[],
  -- The completed stages whose level before has a completion: type, and days since the latest one there, if not negative.
  timed_stage_type_ids integer[],
  timed_days integer[]
-- Room for changes on the same page: none of them touches an index.
) with (fillfactor = 80);
create index analytics_purchase_created_at_idx on analytics_purchase (created_at);
create index cost_other_currency_idx on cost (purchase_id)
  where currency not in ('ILS', 'SUPPORT_USD', 'AVAILABLE_USD');

-- How many stages took how many days, by the month (UTC) in which the purpose was created.
create table analytics_stage_days (
  month date not null,
  service_type_id integer,
  stage_type_id integer not null,
  days integer not null,
  stages integer not null,
  constraint analytics_stage_days_key unique nulls not distinct (month, service_type_id, stage_type_id, days)
) with (fillfactor = 80);

create function analytics_of(purchases integer[]) returns setof analytics_purchase language sql stable as $$
  select p.id, o.id, o.creation_time, o.service_type_id, o.status <> 'COMPLETED', closed.at, p.budget_source_id,
    money.ils, money.support_usd, money.available_usd,
    steps.form_completed_on, steps.waiting, steps.timed, steps.days
  from purchase p
  join purpose o on o.id = p.purpose_id
  left join lateral (
    select max(h.changed_at) as at from purpose_status_history h
    where h.purpose_id = o.id and h.new_status = 'COMPLETED'
  ) closed on true
  left join lateral (
    select sum(c.amount) filter (where c.currency = 'ILS') as ils,
      sum(c.amount) filter (where c.currency = 'SUPPORT_USD') as support_usd,
      sum(c.amount) filter (where c.currency = 'AVAILABLE_USD') as available_usd
    from cost c where c.purchase_id = p.id
  ) money on true
  left join lateral (
    select min(s.completion_date) filter (where t.name = 'emf_id') as form_completed_on,
      array_agg(s.stage_type_id order by s.id)
        filter (where s.completion_date is null and s.priority = s.current_priority) as waiting,
      array_agg(s.stage_type_id order by s.id) filter (where s.completion_date >= s.completed_before) as timed,
      array_agg(s.completion_date - s.completed_before order by s.id)
        filter (where s.completion_date >= s.completed_before) as days
    from (
      select id, stage_type_id, priority, completion_date,
        min(priority) filter (where completion_date is null) over () as current_priority,
        max(completion_date) over (order by priority range between 1 preceding and 1 preceding) as completed_before
      from stage where purchase_id = p.id
    ) s join stage_type t on t.id = s.stage_type_id
  ) steps on true
  where p.id = any(purchases)
$$;

-- Whoever changes what belongs to a purpose holds its lock here, so that no later writer works from an older state.
-- Planned once, for big tables: left to itself the database plans for every new array, which took ten times as long as
-- the work.
create function refresh_analytics(purchases integer[]) returns void
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  perform from purpose where id in (select purpose_id from purchase where id = any(purchases)) order by id
    for no key update;
  update analytics_purchase a
  set (created_at, service_type_id, is_live, closed_at, budget_source_id, ils, support_usd, available_usd,
      form_completed_on, waiting_stage_type_ids, timed_stage_type_ids, timed_days)
    = (f.created_at, f.service_type_id, f.is_live, f.closed_at, f.budget_source_id, f.ils, f.support_usd,
      f.available_usd, f.form_completed_on, f.waiting_stage_type_ids, f.timed_stage_type_ids, f.timed_days)
  from analytics_of(purchases) f
  where f.purchase_id = a.purchase_id and a is distinct from f;
end $$;

create function analytics_of_new_purchase() returns trigger language plpgsql as $$
begin
  perform from purpose where id = new.purpose_id for no key update;
  -- It has neither costs nor stages yet.
  insert into analytics_purchase (purchase_id, purpose_id, created_at, service_type_id, is_live, closed_at,
    budget_source_id)
  select new.id, o.id, o.creation_time, o.service_type_id, o.status <> 'COMPLETED', (
      select max(h.changed_at) from purpose_status_history h
      where h.purpose_id = o.id and h.new_status = 'COMPLETED'
    ), new.budget_source_id
  from purpose o where o.id = new.purpose_id;
  return null;
end $$;
create trigger analytics_insert after insert on purchase
  for each row execute function analytics_of_new_purchase();

create function analytics_of_purchase() returns trigger language plpgsql as $$
begin
  perform refresh_analytics(array[new.id]);
  return null;
end $$;
create trigger analytics_update after update of budget_source_id on purchase
  for each row when (old.budget_source_id is distinct from new.budget_source_id)
  execute function analytics_of_purchase();

create function analytics_of_purpose() returns trigger language plpgsql as $$
begin
  perform refresh_analytics(array(select id from purchase where purpose_id = new.id));
  return null;
end $$;
create trigger analytics_update after update of status, service_type_id, creation_time on purpose
  for each row when ((old.status, old.service_type_id, old.creation_time)
    is distinct from (new.status, new.service_type_id, new.creation_time))
  execute function analytics_of_purpose();

create function analytics_of_history() returns trigger language plpgsql as $$
begin
  perform refresh_analytics(array(
    select id from purchase where purpose_id = new.purpose_id or purpose_id = old.purpose_id
  ));
  return null;
end $$;
create trigger analytics_insert after insert on purpose_status_history
  for each row when (new.new_status = 'COMPLETED') execute function analytics_of_history();
create trigger analytics_update after update on purpose_status_history
  for each row when (new.new_status = 'COMPLETED' or old.new_status = 'COMPLETED')
  execute function analytics_of_history();
create trigger analytics_delete after delete on purpose_status_history
  for each row when (old.new_status = 'COMPLETED') execute function analytics_of_history();

-- Stages and costs. What goes with its purchase needs no work: the purchase's row goes, too.
create function analytics_of_parts() returns trigger language plpgsql as $$
declare
  purchases integer[];
begin
  if tg_op = 'INSERT' then
    select array_agg(distinct purchase_id) into purchases from new_rows;
  elsif tg_op = 'DELETE' then
    select array_agg(distinct purchase_id) into purchases from old_rows;
  elsif tg_table_name = 'cost' then
    select array_agg(distinct purchase_id) into purchases
    from (select purchase_id from new_rows union select purchase_id from old_rows) either;
  else
    select array_agg(n.purchase_id) || array_agg(o.purchase_id) into purchases
    from new_rows n join old_rows o using (id)
    where (n.completion_date, n.priority, n.stage_type_id, n.purchase_id)
      is distinct from (o.completion_date, o.priority, o.stage_type_id, o.purchase_id);
  end if;
  if purchases is not null then
    perform refresh_analytics(purchases);
  end if;
  return null;
end $$;
create trigger analytics_insert after insert on stage referencing new table as new_rows
  for each statement when (pg_trigger_depth() = 0) execute function analytics_of_parts();
create trigger analytics_update after update on stage referencing old table as old_rows new table as new_rows
  for each statement when (pg_trigger_depth() = 0) execute function analytics_of_parts();
create trigger analytics_delete after delete on stage referencing old table as old_rows
  for each statement when (pg_trigger_depth() = 0) execute function analytics_of_parts();
create trigger analytics_insert after insert on cost referencing new table as new_rows
  for each statement when (pg_trigger_depth() = 0) execute function analytics_of_parts();
create trigger analytics_update after update on cost referencing old table as old_rows new table as new_rows
  for each statement when (pg_trigger_depth() = 0) execute function analytics_of_parts();
create trigger analytics_delete after delete on cost referencing old table as old_rows
  for each statement when (pg_trigger_depth() = 0) execute function analytics_of_parts();

create function analytics_of_stage_type() returns trigger language plpgsql as $$
begin
  perform refresh_analytics(array(select distinct purchase_id from stage where stage_type_id = new.id));
  return null;
end $$;
create trigger analytics_update after update of name on stage_type
  for each row when (old.name <> new.name and 'emf_id' in (old.name, new.name))
  execute function analytics_of_stage_type();

create function analytics_month(instant timestamptz) returns date language sql stable parallel safe
  return date_trunc('month', instant at time zone 'UTC')::date;

-- Only the counts that really change are written, mostly one; in one order, so that two writers do not block each other.
create function count_stage_days() returns trigger language plpgsql as $$
begin
  insert into analytics_stage_days as known (month, service_type_id, stage_type_id, days, stages)
  select month, service_type_id, stage_type_id, days, sum(change)
  from (
    select analytics_month(old.created_at) as month, old.service_type_id, stage_type_id, days, -1 as change
    from unnest(old.timed_stage_type_ids, old.timed_days) gone (stage_type_id, days)
    union all
    select analytics_month(new.created_at), new.service_type_id, stage_type_id, days, 1
    from unnest(new.timed_stage_type_ids, new.timed_days) came (stage_type_id, days)
  ) changed
  group by month, service_type_id, stage_type_id, days
  having sum(change) <> 0
  order by month, service_type_id, stage_type_id, days
  on conflict (month, service_type_id, stage_type_id, days) do update set stages = known.stages + excluded.stages;
  return null;
end $$;
create trigger count_insert after insert on analytics_purchase
  for each row when (new.timed_days is not null) execute function count_stage_days();
create trigger count_update after update on analytics_purchase
  for each row when ((old.created_at, old.service_type_id, old.timed_stage_type_ids, old.timed_days)
    is distinct from (new.created_at, new.service_type_id, new.timed_stage_type_ids, new.timed_days))
  execute function count_stage_days();
create trigger count_delete after delete on analytics_purchase
  for each row when (old.timed_days is not null) execute function count_stage_days();

-- Everything anew: for rows that came in while the triggers were off. By the owner of the tables.
create function rebuild_analytics() returns void language plpgsql as $$
begin
  lock table purpose in exclusive mode;
  -- Rows that have just come in are not known to the planner yet: 110 s for 100,000 purposes instead of 5.
  analyze purpose, purchase, stage, stage_type, cost, purpose_status_history;
  alter table analytics_purchase disable trigger user;
  truncate analytics_purchase, analytics_stage_days;
  insert into analytics_purchase select * from analytics_of(array(select id from purchase));
  insert into analytics_stage_days (month, service_type_id, stage_type_id, days, stages)
  select analytics_month(a.created_at), a.service_type_id, t.stage_type_id, t.days, count(*)
  from analytics_purchase a, unnest(a.timed_stage_type_ids, a.timed_days) t (stage_type_id, days)
  group by 1, 2, 3, 4;
  alter table analytics_purchase enable trigger user;
end $$;
select rebuild_analytics();
