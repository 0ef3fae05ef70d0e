-- Up to when each repository of backups has the content of every file that there ever was. Written by the backup service. A
-- file that was deleted later than that stays in the object store: the database can be restored to a moment when it was there.
create table backup_watermark (
  repository uuid primary key,
  attached_until timestamptz not null,
  seen_at timestamptz not null default now()
);
