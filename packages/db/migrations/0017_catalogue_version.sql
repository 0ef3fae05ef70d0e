-- A number that rises with every change of what purposes nest without being touched by it: names of the catalogue, of
-- units, authorities, stage types, files. Together with the row of a purpose it says whether an answer made of that
-- purpose still holds, so that nobody has to make it again to find out.
--
-- Kept as a sum of changes, as purpose_count is, so that writers never wait for each other. Transactions become visible
-- one after the other, so whoever sees one more of them sees a higher sum.

create table catalogue_version (
  id bigint generated always as identity primary key,
  change bigint not null
);
insert into catalogue_version (change) values (1);

create function raise_catalogue_version() returns trigger language plpgsql as $$
begin
  insert into catalogue_version (change) values (1);
  if random() < 0.02 then
    with taken as (
      delete from catalogue_version where id in (select id from catalogue_version for update skip locked) returning change
    )
    insert into catalogue_version (change) select coalesce(sum(change), 0) from taken;
  end if;
  return null;
end $$;

-- What was just added is nested nowhere yet.
create trigger raise_version after update or delete on hierarchy
  for each statement execute function raise_catalogue_version();
create trigger raise_version after update or delete on supplier
  for each statement execute function raise_catalogue_version();
create trigger raise_version after update or delete on service_type
  for each statement execute function raise_catalogue_version();
create trigger raise_version after update or delete on service
  for each statement execute function raise_catalogue_version();
create trigger raise_version after update or delete on budget_source
  for each statement execute function raise_catalogue_version();
create trigger raise_version after update or delete on responsible_authority
  for each statement execute function raise_catalogue_version();
create trigger raise_version after update or delete on stage_type
  for each statement execute function raise_catalogue_version();
create trigger raise_version after update or delete on file_attachment
  for each statement execute function raise_catalogue_version();
