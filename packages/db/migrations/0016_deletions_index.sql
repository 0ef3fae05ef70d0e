-- calculaud: no-transaction
-- Deletions: the latest of a kind, and those that were written together.
create index concurrently if not exists audit_entry_deletion_idx on audit_entry (entity, at, id)
  where action = 'delete';
