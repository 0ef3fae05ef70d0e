-- The tables of the predecessor, under their own names and columns, with tightened types: money is numeric,
-- times are instants. A takeover brings a live database to exactly this state and goes on with 0002.
-- Ids stay 32-bit serials: clients of the v1 API and the predecessor's rows hold them.

create type purpose_status as enum ('IN_PROGRESS', 'COMPLETED', 'SIGNED', 'PARTIALLY_SUPPLIED');
create type hierarchy_type as enum ('UNIT', 'CENTER', 'ANAF', 'MADOR', 'TEAM');

create table hierarchy (
  id serial primary key,
  parent_id integer,
  type hierarchy_type not null,
  name varchar(255) not null,
  path varchar(1000) not null default ''
);

create table file_attachment (
  id serial primary key,
  original_filename varchar(255) not null,
  s3_key varchar(500) not null,
  mime_type varchar(100) not null,
  file_size integer not null,
  uploaded_at timestamptz not null default now()
);

create table supplier (
  id serial primary key,
  name varchar(100) not null,
  file_icon_id integer
);

create table service_type (
  id serial primary key,
  name varchar(255) not null
);

create table service (
  id serial primary key,
  name varchar(255) not null,
  service_type_id integer not null
);

create table budget_source (
  id serial primary key,
  name varchar(255) not null
);

create table responsible_authority (
  id serial primary key,
  name varchar(255) not null,
  description text,
  created_at timestamptz not null default now()
);

create table stage_type (
  id serial primary key,
  name varchar(255) not null,
  display_name varchar(255) not null,
  description text,
  value_required boolean not null default false,
  is_optional boolean not null default false,
  responsible_authority_id integer,
  created_at timestamptz not null default now()
);

create table predefined_flow (
  id serial primary key,
  flow_name varchar(255) not null,
  created_at timestamptz not null default now()
);

create table predefined_flow_stage (
  id serial primary key,
  predefined_flow_id integer not null,
  stage_type_id integer not null,
  priority integer not null
);

create table purpose (
  id serial primary key,
  description varchar(2000),
  creation_time timestamptz not null default now(),
  status purpose_status not null default 'IN_PROGRESS',
  comments varchar(1000),
  last_modified timestamptz not null default now(),
  expected_delivery date,
  hierarchy_id integer,
  supplier_id integer,
  service_type_id integer,
  is_flagged boolean not null default false
);

create table purpose_content (
  id serial primary key,
  purpose_id integer not null,
  service_id integer not null,
  quantity integer not null
);

create table purpose_status_history (
  id serial primary key,
  purpose_id integer not null,
  previous_status purpose_status,
  new_status purpose_status not null,
  changed_at timestamptz not null default now(),
  changed_by varchar(255)
);

create table purchase (
  id serial primary key,
  purpose_id integer not null,
  predefined_flow_id integer,
  budget_source_id integer,
  creation_date timestamptz not null default now()
);

create table cost (
  id serial primary key,
  purchase_id integer not null,
  currency text not null,
  amount numeric not null
);

create table stage (
  id serial primary key,
  stage_type_id integer not null,
  purchase_id integer not null,
  priority integer not null,
  value text,
  completion_date date,
  note text,
  custom_name varchar(255)
);

create table purpose_file_attachment (
  purpose_id integer not null,
  file_attachment_id integer not null,
  primary key (purpose_id, file_attachment_id)
);
