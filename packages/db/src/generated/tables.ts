// Written by `npm run gen` from the migrated database. Do not edit.
import type { ColumnType } from 'kysely';

/** The database fills it in when an insert leaves it out. */
export type Generated<T> =
  T extends ColumnType<infer S, infer I, infer U> ? ColumnType<S, I | undefined, U> : ColumnType<T, T | undefined, T>;
/** Only the database fills it in. */
export type GeneratedAlways<T> = T extends ColumnType<infer S, unknown, unknown> ? ColumnType<S, never, never> : ColumnType<T, never, never>;

/** Arrives as text: a number would round it. */
export type BigInteger = ColumnType<string, string | number | bigint, string | number | bigint>;
/** Exact; arrives as text: a number would round it. */
export type Numeric = ColumnType<string, string | number, string | number>;
export type Instant = ColumnType<Date, Date | string, Date | string>;

export type HierarchyType = 'UNIT' | 'CENTER' | 'ANAF' | 'MADOR' | 'TEAM';

export type PurposeStatus = 'IN_PROGRESS' | 'COMPLETED' | 'SIGNED' | 'PARTIALLY_SUPPLIED';

export interface AnalyticsPurchaseTable {
  purchase_id: number;
  purpose_id: number;
  created_at: Instant;
  service_type_id: number | null;
  is_live: boolean;
  closed_at: Instant | null;
  budget_source_id: number | null;
  ils: Numeric | null;
  support_usd: Numeric | null;
  available_usd: Numeric | null;
  form_completed_on: string | null;
  waiting_stage_type_ids: number[] | null;
  timed_stage_type_ids: number[] | null;
  timed_days: number[] | null;
}

export interface AnalyticsStageDaysTable {
  month: string;
  service_type_id: number | null;
  stage_type_id: number;
  days: number;
  stages: number;
}

export interface ApiTokenTable {
  id: Generated<number>;
  principal_id: number;
  role: string;
  secret_hash: Buffer;
  created_at: Generated<Instant>;
  created_by: number | null;
  expires_at: Instant | null;
  revoked_at: Instant | null;
  revoked_by: number | null;
  last_used_at: Instant | null;
}

export interface AuditEntryTable {
  id: GeneratedAlways<BigInteger>;
  at: Generated<Instant>;
  principal_id: number | null;
  request_id: string | null;
  action: string;
  entity: string;
  entity_id: number;
  before: unknown;
  after: unknown;
  transaction_id: Generated<BigInteger | null>;
}

export interface BackupWatermarkTable {
  repository: string;
  attached_until: Instant;
  seen_at: Generated<Instant>;
}

export interface BudgetSourceTable {
  id: Generated<number>;
  name: string;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface CatalogueVersionTable {
  id: GeneratedAlways<BigInteger>;
  change: BigInteger;
}

export interface CostTable {
  id: Generated<number>;
  purchase_id: number;
  currency: string;
  amount: Numeric;
  created_at: Generated<Instant>;
  created_by: number | null;
}

export interface CurrencyTable {
  id: GeneratedAlways<number>;
  code: string;
  iso_code: string;
  funding_channel: string | null;
  name: string;
  position: number;
  is_active: Generated<boolean>;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface DemonstrationTable {
  id: GeneratedAlways<number>;
  event: string;
  at: Generated<Instant>;
}

export interface ExchangeRateTable {
  id: GeneratedAlways<number>;
  currency: string;
  base: string;
  rate: Numeric;
  valid_from: string;
  is_starting: Generated<boolean>;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface FileAttachmentTable {
  id: Generated<number>;
  original_filename: string;
  s3_key: string;
  mime_type: string;
  file_size: number;
  uploaded_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface FlowDecisionTable {
  id: GeneratedAlways<number>;
  purchase_id: number;
  rule_id: number | null;
  rule_name: string | null;
  flow_id: number | null;
  flow_name: string | null;
  reason: string;
  facts: unknown;
  decided_at: Generated<Instant>;
  decided_by: Generated<number | null>;
}

export interface FlowRuleTable {
  id: GeneratedAlways<number>;
  position: number;
  name: string;
  is_active: Generated<boolean>;
  conditions: unknown;
  flow_name: string | null;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface HierarchyTable {
  id: Generated<number>;
  parent_id: number | null;
  type: HierarchyType;
  name: string;
  path: Generated<string>;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface IdempotencyKeyTable {
  principal_id: number;
  key: string;
  request_hash: string;
  body: string | null;
  version: number | null;
  created_at: Generated<Instant>;
}

export interface ObjectRemovalTable {
  s3_key: string;
  due_at: Instant;
}

export interface PredefinedFlowTable {
  id: Generated<number>;
  flow_name: string;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface PredefinedFlowStageTable {
  id: Generated<number>;
  predefined_flow_id: number;
  stage_type_id: number;
  priority: number;
}

export interface PrincipalTable {
  id: Generated<number>;
  kind: string;
  subject: string;
  name: string;
  email: string | null;
  created_at: Generated<Instant>;
}

export interface PurchaseTable {
  id: Generated<number>;
  purpose_id: number;
  predefined_flow_id: number | null;
  budget_source_id: number | null;
  creation_date: Generated<Instant>;
  version: Generated<number>;
  version_transaction: BigInteger | null;
  current_priority: number | null;
  waiting_since: string | null;
  pending_authority_id: number | null;
  created_by: number | null;
  updated_by: number | null;
  updated_at: Generated<Instant>;
}

export interface PurposeTable {
  id: Generated<number>;
  description: string | null;
  creation_time: Generated<Instant>;
  status: Generated<PurposeStatus>;
  comments: string | null;
  last_modified: Generated<Instant>;
  expected_delivery: string | null;
  hierarchy_id: number | null;
  supplier_id: number | null;
  service_type_id: number | null;
  is_flagged: Generated<boolean>;
  version: Generated<number>;
  version_transaction: BigInteger | null;
  pending_authority_id: number | null;
  waiting_since: string | null;
  current_status_changed_at: Instant | null;
  created_by: number | null;
  updated_by: number | null;
  auto_flagged_at: Instant | null;
  auto_flag_reason: unknown;
  flag_cleared_at: Instant | null;
}

export interface PurposeContentTable {
  id: Generated<number>;
  purpose_id: number;
  service_id: number;
  quantity: number;
  created_at: Generated<Instant>;
  created_by: number | null;
}

export interface PurposeCountTable {
  id: GeneratedAlways<BigInteger>;
  change: BigInteger;
}

export interface PurposeFileAttachmentTable {
  purpose_id: number;
  file_attachment_id: number;
}

export interface PurposeStatusHistoryTable {
  id: Generated<number>;
  purpose_id: number;
  previous_status: PurposeStatus | null;
  new_status: PurposeStatus;
  changed_at: Generated<Instant>;
  changed_by: string | null;
  changed_by_id: number | null;
}

export interface ResponsibleAuthorityTable {
  id: Generated<number>;
  name: string;
  description: string | null;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface SchemaMigrationTable {
  number: number;
  name: string;
  checksum: string;
  applied_at: Generated<Instant>;
  duration_ms: number;
  breaking: boolean;
  app_version: string | null;
}

export interface ServiceTable {
  id: Generated<number>;
  name: string;
  service_type_id: number;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface ServiceTypeTable {
  id: Generated<number>;
  name: string;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface StageTable {
  id: Generated<number>;
  stage_type_id: number;
  purchase_id: number;
  priority: number;
  value: string | null;
  completion_date: string | null;
  note: string | null;
  custom_name: string | null;
  version: Generated<number>;
  previous_completion_date: string | null;
  ready_at: Instant | null;
  started_at: Instant | null;
  started_by: number | null;
  done_at: Instant | null;
  done_by: number | null;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface StageTypeTable {
  id: Generated<number>;
  name: string;
  display_name: string;
  description: string | null;
  value_required: Generated<boolean>;
  is_optional: Generated<boolean>;
  responsible_authority_id: number | null;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
  auto_flag_days: number | null;
}

export interface SupplierTable {
  id: Generated<number>;
  name: string;
  file_icon_id: number | null;
  created_at: Generated<Instant>;
  created_by: number | null;
  updated_at: Generated<Instant>;
  updated_by: number | null;
}

export interface Tables {
  analytics_purchase: AnalyticsPurchaseTable;
  analytics_stage_days: AnalyticsStageDaysTable;
  api_token: ApiTokenTable;
  audit_entry: AuditEntryTable;
  backup_watermark: BackupWatermarkTable;
  budget_source: BudgetSourceTable;
  catalogue_version: CatalogueVersionTable;
  cost: CostTable;
  currency: CurrencyTable;
  demonstration: DemonstrationTable;
  exchange_rate: ExchangeRateTable;
  file_attachment: FileAttachmentTable;
  flow_decision: FlowDecisionTable;
  flow_rule: FlowRuleTable;
  hierarchy: HierarchyTable;
  idempotency_key: IdempotencyKeyTable;
  object_removal: ObjectRemovalTable;
  predefined_flow: PredefinedFlowTable;
  predefined_flow_stage: PredefinedFlowStageTable;
  principal: PrincipalTable;
  purchase: PurchaseTable;
  purpose: PurposeTable;
  purpose_content: PurposeContentTable;
  purpose_count: PurposeCountTable;
  purpose_file_attachment: PurposeFileAttachmentTable;
  purpose_status_history: PurposeStatusHistoryTable;
  responsible_authority: ResponsibleAuthorityTable;
  schema_migration: SchemaMigrationTable;
  service: ServiceTable;
  service_type: ServiceTypeTable;
  stage: StageTable;
  stage_type: StageTypeTable;
  supplier: SupplierTable;
}

/** For what must know them at run time, as the privileges do. */
export const TABLE_NAMES: readonly (keyof Tables)[] = [
  'analytics_purchase',
  'analytics_stage_days',
  'api_token',
  'audit_entry',
  'backup_watermark',
  'budget_source',
  'catalogue_version',
  'cost',
  'currency',
  'demonstration',
  'exchange_rate',
  'file_attachment',
  'flow_decision',
  'flow_rule',
  'hierarchy',
  'idempotency_key',
  'object_removal',
  'predefined_flow',
  'predefined_flow_stage',
  'principal',
  'purchase',
  'purpose',
  'purpose_content',
  'purpose_count',
  'purpose_file_attachment',
  'purpose_status_history',
  'responsible_authority',
  'schema_migration',
  'service',
  'service_type',
  'stage',
  'stage_type',
  'supplier',
];
