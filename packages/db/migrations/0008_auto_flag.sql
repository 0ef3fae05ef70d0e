-- Purposes that nothing moves any more are flagged by a job. A stage type may allow more or fewer days than the rest.
alter table stage_type
  add column auto_flag_days integer,
  add constraint stage_type_auto_flag_days_check check (auto_flag_days between 1 and 3650);

-- auto_flagged_at: the flag is the job's, which may take it away again; null: a person's, or none.
-- auto_flag_reason: {"purchase_id", "stage_type_id", "days", "allowed_days"} as they were then.
-- flag_cleared_at: when a person took a flag away; the job respects that until a stage becomes ready after it.
alter table purpose
  add column auto_flagged_at timestamptz,
  add column auto_flag_reason jsonb,
  add column flag_cleared_at timestamptz;
create index purpose_auto_flagged_at_idx on purpose (auto_flagged_at) where auto_flagged_at is not null;

-- The job changes auto_flagged_at together with the flag. Whoever changes the flag alone is a person, and decides.
create function decide_flag() returns trigger language plpgsql as $$
begin
  if new.auto_flagged_at is not distinct from old.auto_flagged_at then
    new.auto_flagged_at := null;
    new.auto_flag_reason := null;
    new.flag_cleared_at := case when not new.is_flagged then clock_timestamp() end;
  end if;
  return new;
end $$;
create trigger decide_flag before update of is_flagged on purpose
  for each row when (old.is_flagged is distinct from new.is_flagged) execute function decide_flag();
