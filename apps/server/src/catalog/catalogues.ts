import type { CatalogueTable } from './queries.ts';

/** What the six catalogues differ in, beside their schemas and their JSON. */
export interface Catalogue {
  readonly table: CatalogueTable;
  /** As messages name it: "Budget source with ID 3 not found". */
  readonly title: string;
  /** The constraint that keeps names apart. */
  readonly uniqueName: string;
  /** What the columns that refer to other records refer to, as messages name it. */
  readonly references: Readonly<Record<string, string>>;
}

export const supplier: Catalogue = {
  table: 'supplier',
  title: 'Supplier',
  uniqueName: 'supplier_name_key',
  references: { file_icon_id: 'File' },
};

export const serviceType: Catalogue = {
  table: 'service_type',
  title: 'Service type',
  uniqueName: 'service_type_name_key',
  references: {},
};

export const service: Catalogue = {
  table: 'service',
  title: 'Service',
  uniqueName: 'service_name_service_type_id_key',
  references: { service_type_id: 'Service type' },
};

export const budgetSource: Catalogue = {
  table: 'budget_source',
  title: 'Budget source',
  uniqueName: 'budget_source_name_key',
  references: {},
};

export const authority: Catalogue = {
  table: 'responsible_authority',
  title: 'Responsible authority',
  uniqueName: 'responsible_authority_name_key',
  references: {},
};

export const stageType: Catalogue = {
  table: 'stage_type',
  title: 'Stage type',
  uniqueName: 'stage_type_name_key',
  references: { responsible_authority_id: 'Responsible authority' },
};
