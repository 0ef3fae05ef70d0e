-- Currencies, dated exchange rates, and the choice of a purchase's flow as data. What v1 had in its code is inserted
-- here, so that a database that is taken over has it too.

-- What a cost line may name: a currency, or a pot of money in it (the two dollar kinds of v1 are one ISO currency).
create table currency (
  id integer generated always as identity primary key,
  code text not null constraint currency_code_check check (code ~ '^[A-Z][A-Z0-9_]{0,31}$'),
  iso_code text not null constraint currency_iso_code_check check (iso_code ~ '^[A-Z]{3}$'),
  funding_channel text,
  name text not null,
  position integer not null,
  -- Costs that name an inactive one stay; new ones cannot.
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  created_by integer references principal,
  updated_at timestamptz not null default now(),
  updated_by integer references principal,
  constraint currency_code_key unique (code)
);
insert into currency (code, iso_code, funding_channel, name, position) values
  ('SUPPORT_USD', 'USD', 'SUPPORT', 'US dollar (support)', 1),
  ('AVAILABLE_USD', 'USD', 'AVAILABLE', 'US dollar (available)', 2),
  ('ILS', 'ILS', null, 'Israeli shekel', 3);

-- A currency is never deleted, so that this key needs no index on the side of the costs.
alter table cost add constraint cost_currency_fkey foreign key (currency) references currency (code);

-- One unit of `currency` is worth `rate` units of `base` from that day until the next rate begins.
create table exchange_rate (
  id integer generated always as identity primary key,
  currency text not null constraint exchange_rate_currency_check check (currency ~ '^[A-Z]{3}$'),
  base text not null constraint exchange_rate_base_check check (base ~ '^[A-Z]{3}$'),
  rate numeric not null constraint exchange_rate_rate_check check (rate > 0 and rate < 1000000000000000),
  valid_from date not null,
  -- The rate before any that was entered: it follows the setting USD_TO_ILS_RATE.
  is_starting boolean not null default false,
  created_at timestamptz not null default now(),
  created_by integer references principal,
  updated_at timestamptz not null default now(),
  updated_by integer references principal,
  constraint exchange_rate_currency_base_valid_from_key unique (currency, base, valid_from),
  constraint exchange_rate_check check (currency <> base)
);

-- The rules that choose a flow, in order; the first whose conditions all hold decides. They name the flow by its name,
-- as v1 looked it up; null is no flow, so no stages.
create table flow_rule (
  id integer generated always as identity primary key,
  position integer not null constraint flow_rule_position_check check (position >= 1),
  name varchar(255) not null,
  is_active boolean not null default true,
  conditions jsonb not null constraint flow_rule_conditions_check check (jsonb_typeof(conditions) = 'object'),
  flow_name varchar(255),
  created_at timestamptz not null default now(),
  created_by integer references principal,
  updated_at timestamptz not null default now(),
  updated_by integer references principal,
  -- Deferred: moving a rule renumbers the others.
  constraint flow_rule_position_key unique (position) deferrable initially deferred
);
-- v1's rules. Its sums mix the currencies without conversion; 400,000 belongs to the upper side.
insert into flow_rule (position, name, conditions, flow_name) values
  (1, 'No costs', '{"lines": {"max": 0}}', null),
  (2, 'Several costs below 400,000',
    '{"lines": {"min": 2}, "total": {"basis": "plain", "below": 400000}}', 'MIXED_USD_FLOW'),
  (3, 'Several costs of 400,000 or more',
    '{"lines": {"min": 2}, "total": {"basis": "plain", "at_least": 400000}}', 'MIXED_USD_ABOVE_400K_FLOW'),
  (4, 'Support dollars below 400,000',
    '{"currencies": {"only": ["SUPPORT_USD"]}, "total": {"basis": "plain", "below": 400000}}', 'SUPPORT_USD_FLOW'),
  (5, 'Support dollars of 400,000 or more',
    '{"currencies": {"only": ["SUPPORT_USD"]}, "total": {"basis": "plain", "at_least": 400000}}',
    'SUPPORT_USD_ABOVE_400K_FLOW'),
  (6, 'Available dollars', '{"currencies": {"only": ["AVAILABLE_USD"]}}', 'AVAILABLE_USD_FLOW'),
  (7, 'Shekels', '{"currencies": {"only": ["ILS"]}}', 'ILS_FLOW');

create function rename_flow_in_rules() returns trigger language plpgsql as $$
begin
  update flow_rule set flow_name = new.flow_name where flow_name = old.flow_name;
  return null;
end $$;
create trigger rename_in_rules after update of flow_name on predefined_flow
  for each row when (old.flow_name is distinct from new.flow_name) execute function rename_flow_in_rules();

-- Why a purchase got its flow: a record of the past, so that it names rule and flow and does not refer to them.
create table flow_decision (
  id integer generated always as identity primary key,
  purchase_id integer not null references purchase on delete cascade,
  rule_id integer,
  rule_name text,
  flow_id integer,
  flow_name text,
  reason text not null,
  facts jsonb not null,
  decided_at timestamptz not null default clock_timestamp(),
  decided_by integer references principal default acting_principal()
);
create index flow_decision_purchase_id_idx on flow_decision (purchase_id, id);

create trigger stamp before insert or update on currency for each row execute function stamp_row();
create trigger stamp before insert or update on exchange_rate for each row execute function stamp_row();
create trigger stamp before insert or update on flow_rule for each row execute function stamp_row();
create trigger audit after insert or update or delete on currency for each row execute function record_audit('id');
create trigger audit after insert or update or delete on exchange_rate for each row execute function record_audit('id');
create trigger audit after insert or update or delete on flow_rule for each row execute function record_audit('id');
