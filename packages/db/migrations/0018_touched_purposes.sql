-- Every change of what belongs to a purpose can be seen from its row.

-- As 0004 has them, but a purchase that is moved to another purpose, or dated anew, is an edit too: nobody could see from
-- the versions that either purpose had changed.

create or replace function version_purchase() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.version_transaction := this_transaction();
  elsif (new.purpose_id, new.creation_date, new.budget_source_id, new.predefined_flow_id)
    is distinct from (old.purpose_id, old.creation_date, old.budget_source_id, old.predefined_flow_id) then
    new.version := next_version(old.version, old.version_transaction);
    new.version_transaction := this_transaction();
  end if;
  return new;
end $$;

create or replace function purchases_changed() returns trigger
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
      select distinct touched.purpose_id
      from new_rows n join old_rows o using (id), unnest(array[n.purpose_id, o.purpose_id]) touched (purpose_id)
      where n.version <> o.version or n.purpose_id <> o.purpose_id
      order by 1
    ) edited;
  end if;
  return null;
end $$;

-- Files that come and go write the row of their purpose anew, so that the change can be seen from the row, as every other
-- can. Nothing in it changes here: which of them are edits of the purpose, and raise its version, is for the application to say.
create function purpose_files_changed() returns trigger language plpgsql as $$
declare
  purposes integer[];
begin
  if tg_op = 'INSERT' then
    select array_agg(distinct purpose_id) into purposes from new_rows;
  elsif tg_op = 'DELETE' then
    select array_agg(distinct purpose_id) into purposes from old_rows;
  else
    select array_agg(distinct purpose_id) into purposes
    from (select purpose_id from new_rows union select purpose_id from old_rows) either;
  end if;
  perform from purpose where id = any(purposes) order by id for no key update;
  update purpose set version = version where id = any(purposes);
  return null;
end $$;
create trigger changed_insert after insert on purpose_file_attachment referencing new table as new_rows
  for each statement execute function purpose_files_changed();
create trigger changed_update after update on purpose_file_attachment referencing old table as old_rows new table as new_rows
  for each statement execute function purpose_files_changed();
create trigger changed_delete after delete on purpose_file_attachment referencing old table as old_rows
  for each statement execute function purpose_files_changed();
