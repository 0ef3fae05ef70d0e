-- Rules that the predecessor kept in code only (or not at all), and the indexes its screens need.
-- Every foreign key has an index on the referencing side, so that a delete of the referenced row stays cheap.

create extension if not exists pg_trgm;

alter table hierarchy
  add constraint hierarchy_parent_id_fkey foreign key (parent_id) references hierarchy,
  add constraint hierarchy_parent_id_name_key unique nulls not distinct (parent_id, name),
  add constraint hierarchy_parent_id_check check (parent_id <> id);

alter table file_attachment
  add constraint file_attachment_s3_key_key unique (s3_key),
  add constraint file_attachment_file_size_check check (file_size >= 0);

alter table supplier
  add constraint supplier_name_key unique (name),
  add constraint supplier_file_icon_id_fkey foreign key (file_icon_id) references file_attachment;
create index supplier_file_icon_id_idx on supplier (file_icon_id);

alter table service_type
  add constraint service_type_name_key unique (name);

alter table service
  add constraint service_service_type_id_fkey foreign key (service_type_id) references service_type on delete cascade,
  add constraint service_name_service_type_id_key unique (name, service_type_id);
create index service_service_type_id_idx on service (service_type_id);

alter table budget_source
  add constraint budget_source_name_key unique (name);

alter table responsible_authority
  add constraint responsible_authority_name_key unique (name);

alter table stage_type
  add constraint stage_type_name_key unique (name),
  add constraint stage_type_responsible_authority_id_fkey foreign key (responsible_authority_id)
    references responsible_authority on delete set null;
create index stage_type_responsible_authority_id_idx on stage_type (responsible_authority_id);

alter table predefined_flow
  add constraint predefined_flow_flow_name_key unique (flow_name);

alter table predefined_flow_stage
  add constraint predefined_flow_stage_predefined_flow_id_fkey foreign key (predefined_flow_id)
    references predefined_flow on delete cascade,
  add constraint predefined_flow_stage_stage_type_id_fkey foreign key (stage_type_id) references stage_type,
  add constraint predefined_flow_stage_priority_check check (priority >= 1);
create index predefined_flow_stage_predefined_flow_id_idx on predefined_flow_stage (predefined_flow_id);
create index predefined_flow_stage_stage_type_id_idx on predefined_flow_stage (stage_type_id);

alter table purpose
  add constraint purpose_hierarchy_id_fkey foreign key (hierarchy_id) references hierarchy,
  add constraint purpose_supplier_id_fkey foreign key (supplier_id) references supplier,
  add constraint purpose_service_type_id_fkey foreign key (service_type_id) references service_type;
-- Lists sort by these columns, id last, in both directions.
create index purpose_creation_time_idx on purpose (creation_time, id);
create index purpose_last_modified_idx on purpose (last_modified, id);
create index purpose_expected_delivery_idx on purpose (expected_delivery, id);
create index purpose_status_idx on purpose (status, creation_time, id);
create index purpose_hierarchy_id_idx on purpose (hierarchy_id, creation_time, id);
create index purpose_supplier_id_idx on purpose (supplier_id, creation_time, id);
create index purpose_service_type_id_idx on purpose (service_type_id, creation_time, id);
create index purpose_is_flagged_idx on purpose (creation_time, id) where is_flagged;

alter table purpose_content
  add constraint purpose_content_purpose_id_fkey foreign key (purpose_id) references purpose on delete cascade,
  add constraint purpose_content_service_id_fkey foreign key (service_id) references service on delete restrict,
  add constraint purpose_content_purpose_id_service_id_key unique (purpose_id, service_id),
  add constraint purpose_content_quantity_check check (quantity >= 1);
create index purpose_content_service_id_idx on purpose_content (service_id, purpose_id);

alter table purpose_status_history
  add constraint purpose_status_history_purpose_id_fkey foreign key (purpose_id) references purpose on delete cascade;
create index purpose_status_history_purpose_id_idx on purpose_status_history (purpose_id, changed_at);
create index purpose_status_history_new_status_idx on purpose_status_history (new_status, changed_at, purpose_id);

alter table purchase
  add constraint purchase_purpose_id_fkey foreign key (purpose_id) references purpose on delete cascade,
  add constraint purchase_predefined_flow_id_fkey foreign key (predefined_flow_id)
    references predefined_flow on delete set null,
  add constraint purchase_budget_source_id_fkey foreign key (budget_source_id)
    references budget_source on delete set null;
create index purchase_purpose_id_idx on purchase (purpose_id);
create index purchase_predefined_flow_id_idx on purchase (predefined_flow_id);
create index purchase_budget_source_id_idx on purchase (budget_source_id, purpose_id);

alter table cost
  add constraint cost_purchase_id_fkey foreign key (purchase_id) references purchase on delete cascade,
  -- Below one quadrillion, so neither NaN nor infinity; a double keeps such an amount to the cent.
  add constraint cost_amount_check check (amount >= 0 and amount < 1000000000000000);
create index cost_purchase_id_idx on cost (purchase_id);

alter table stage
  add constraint stage_purchase_id_fkey foreign key (purchase_id) references purchase on delete cascade,
  add constraint stage_stage_type_id_fkey foreign key (stage_type_id) references stage_type,
  add constraint stage_priority_check check (priority >= 1);
create index stage_purchase_id_idx on stage (purchase_id, priority);
create index stage_stage_type_id_idx on stage (stage_type_id, purchase_id);

alter table purpose_file_attachment
  add constraint purpose_file_attachment_purpose_id_fkey foreign key (purpose_id) references purpose on delete cascade,
  add constraint purpose_file_attachment_file_attachment_id_fkey foreign key (file_attachment_id)
    references file_attachment on delete cascade;
create index purpose_file_attachment_file_attachment_id_idx on purpose_file_attachment (file_attachment_id);

-- Search looks for a part of a text, case-insensitively, in these places.
create index purpose_description_trgm_idx on purpose using gin (description gin_trgm_ops);
create index purpose_comments_trgm_idx on purpose using gin (comments gin_trgm_ops);
create index stage_value_trgm_idx on stage using gin (value gin_trgm_ops) where value is not null;
create index stage_note_trgm_idx on stage using gin (note gin_trgm_ops) where note is not null;
create index stage_custom_name_trgm_idx on stage using gin (custom_name gin_trgm_ops) where custom_name is not null;
