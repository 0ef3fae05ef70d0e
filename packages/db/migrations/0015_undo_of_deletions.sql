-- What is needed to bring a deleted purpose or purchase back from the audit trail, with everything that went with it.

-- Tells which entries were written together, also when two transactions began in the same microsecond. Entries of before
-- have none; the time of their transaction tells them apart.
alter table audit_entry add column transaction_id bigint;
alter table audit_entry alter column transaction_id set default this_transaction();

-- Their inserts follow from the entry of the purpose or purchase; what is changed or deleted would be lost.
create trigger audit after update or delete on purpose_status_history
  for each row execute function record_audit('id');
create trigger audit after update or delete on flow_decision
  for each row execute function record_audit('id');

-- As 0004 has it, but who changed a row last stays when it is brought back: so far inserts overwrote it.
create or replace function stamp_row() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.created_by := coalesce(new.created_by, acting_principal());
    new.updated_by := coalesce(new.updated_by, acting_principal());
    return new;
  elsif new is not distinct from old then
    return new;
  else
    new.updated_at := now();
  end if;
  new.updated_by := coalesce(acting_principal(), new.updated_by);
  return new;
end $$;
