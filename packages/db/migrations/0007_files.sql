-- Links to files are signed while the answer that holds them is built, by hmac() in the same statement.
create extension if not exists pgcrypto;

-- Objects of the store that shall go once they are due, unless a file owns them by then. An upload announces its
-- object here before the store gets it, and strikes it out together with the insert of its row; the delete of a file
-- adds its object in the same transaction. So whatever dies in between, each object has a row here or is owned.
create table object_removal (
  s3_key varchar(500) primary key,
  due_at timestamptz not null
);
create index object_removal_due_at_idx on object_removal (due_at);

-- Search for a part of a name, among the files and among the purposes.
create index file_attachment_original_filename_trgm_idx on file_attachment using gin (original_filename gin_trgm_ops);
