-- What became of the demonstration organisation; the last event says how things are. The first start of an empty
-- database decides once, so that a demonstration that was declined or cleared does not come back by itself.
-- Its rows are known by who created them: the system principals `demonstration` and `demonstration:…`.
create table demonstration (
  id integer generated always as identity primary key,
  event text not null check (event in ('added', 'declined', 'cleared')),
  at timestamptz not null default now()
);
