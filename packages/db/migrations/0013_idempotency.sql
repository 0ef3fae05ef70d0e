-- A request that a client sends again, because it did not see the answer, must not do its work twice. Its row is
-- written in the transaction of the work, so that there is one exactly when the work was done.
create table idempotency_key (
  principal_id integer not null references principal,
  key text not null constraint idempotency_key_key_check check (char_length(key) between 1 and 255),
  -- Of the operation and all its input.
  request_hash text not null,
  -- The answer. Null only inside the transaction that does the work.
  body text,
  version integer,
  created_at timestamptz not null default now(),
  primary key (principal_id, key)
);
create index idempotency_key_created_at_idx on idempotency_key (created_at);
