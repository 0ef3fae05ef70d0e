import { z } from 'zod';
import { endpoint } from './endpoint.ts';
import { fileAttachment } from './files.ts';
import { boolean, id, integer, nullIgnored, paging, search, text } from './input.ts';
import * as out from './output.ts';
import type { Permission } from './permissions.ts';

/** The plain catalogues of contract 2.3: five operations each, one pattern. */

interface Catalogue<
  Name extends string,
  Item extends z.ZodType,
  Create extends z.ZodObject,
  Patch extends z.ZodObject,
  Filters extends z.ZodRawShape,
> {
  readonly name: Name;
  readonly singular: string;
  readonly item: Item;
  readonly create: Create;
  readonly patch: Patch;
  readonly filters: Filters;
}

type ReadPermission<Name extends string> = Extract<Permission, `${Name}.read`>;
type WritePermission<Name extends string> = Extract<Permission, `${Name}.write`>;

function catalogue<
  const Name extends string,
  Item extends z.ZodType,
  Create extends z.ZodObject,
  Patch extends z.ZodObject,
  Filters extends z.ZodRawShape,
>(definition: Catalogue<Name, Item, Create, Patch, Filters>) {
  const { name, singular, item } = definition;
  // Every catalogue has both permissions; a name without them does not compile, because they are then `never`.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  const read = `${name}.read` as ReadPermission<Name>;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  const write = `${name}.write` as WritePermission<Name>;
  const params = z.object({ id: id() });
  return {
    name,
    singular,
    list: endpoint({
      id: `${name}.list`,
      method: 'GET',
      path: `/${name}/`,
      summary: `List ${singular} records by name`,
      permission: read,
      query: z.object({ ...paging, search, ...definition.filters }),
      success: { status: 200, body: out.page(item) },
    }),
    get: endpoint({
      id: `${name}.get`,
      method: 'GET',
      path: `/${name}/{id}`,
      summary: `Show one ${singular}`,
      permission: read,
      params,
      success: { status: 200, body: item },
      errors: [404],
    }),
    create: endpoint({
      id: `${name}.create`,
      method: 'POST',
      path: `/${name}/`,
      summary: `Add a ${singular}`,
      permission: write,
      body: definition.create,
      success: { status: 201, body: item },
      errors: [400, 409],
    }),
    update: endpoint({
      id: `${name}.update`,
      method: 'PATCH',
      path: `/${name}/{id}`,
      summary: `Change a ${singular}: only the members present`,
      permission: write,
      params,
      body: definition.patch,
      success: { status: 200, body: item },
      errors: [400, 404, 409],
    }),
    remove: endpoint({
      id: `${name}.delete`,
      method: 'DELETE',
      path: `/${name}/{id}`,
      summary: `Delete a ${singular}`,
      description:
        'Refused with 409 while records need it. Budget sources and responsible authorities go all the same, as in v1: what referred to them then refers to none.',
      permission: write,
      params,
      success: { status: 204 },
      errors: [404, 409],
    }),
  };
}

const name = text({ min: 1, max: 255 });

export const supplier = z
  .object({
    id: out.id,
    name: z.string(),
    file_icon_id: out.id.nullable(),
    file_icon: fileAttachment.nullable(),
  })
  .meta({ id: 'Supplier' });

export const suppliers = catalogue({
  name: 'suppliers',
  singular: 'supplier',
  item: supplier,
  create: z.object({ name: text({ min: 1, max: 100 }), file_icon_id: id().nullable().optional() }),
  patch: z.object({ name: text({ min: 1, max: 100 }).optional(), file_icon_id: id().nullable().optional() }),
  filters: {},
});

export const serviceType = z.object({ id: out.id, name: z.string() }).meta({ id: 'ServiceType' });

export const serviceTypes = catalogue({
  name: 'service-types',
  singular: 'service type',
  item: serviceType,
  create: z.object({ name }),
  patch: z.object({ name: nullIgnored(name) }),
  filters: {},
});

export const service = z
  .object({ id: out.id, name: z.string(), service_type_id: out.id })
  .meta({ id: 'Service' });

export const services = catalogue({
  name: 'services',
  singular: 'service',
  item: service,
  create: z.object({ name, service_type_id: id() }),
  patch: z.object({ name: nullIgnored(name), service_type_id: nullIgnored(id()) }),
  filters: { service_type_id: id().optional() },
});

export const budgetSource = z.object({ id: out.id, name: z.string() }).meta({ id: 'BudgetSource' });

export const budgetSources = catalogue({
  name: 'budget-sources',
  singular: 'budget source',
  item: budgetSource,
  create: z.object({ name }),
  patch: z.object({ name: name.optional() }),
  filters: {},
});

export const authority = z
  .object({ id: out.id, name: z.string(), description: z.string().nullable(), created_at: out.dateTime })
  .meta({ id: 'Authority' });

export const responsibleAuthorities = catalogue({
  name: 'responsible-authorities',
  singular: 'responsible authority',
  item: authority,
  create: z.object({ name, description: text().nullable().optional() }),
  patch: z.object({ name: nullIgnored(name), description: text().nullable().optional() }),
  filters: {},
});

export const stageType = z
  .object({
    id: out.id,
    name: z.string(),
    display_name: z.string(),
    description: z.string().nullable(),
    /** Whether a value may be recorded on a stage of this type; the name is v1's. */
    value_required: z.boolean(),
    /** Informative only. */
    is_optional: z.boolean(),
    responsible_authority_id: out.id.nullable(),
    created_at: out.dateTime,
    responsible_authority: authority.nullable(),
  })
  .meta({ id: 'StageType' });

const stageTypeByItself = stageType
  .extend({
    /** Days without progress after which a purpose that waits in such a stage is flagged; null: as the configuration says. */
    auto_flag_days: z.int().nullable(),
  })
  .meta({ id: 'StageTypeByItself' });

const autoFlagDays = integer({ min: 1, max: 3650 }).nullable().optional();

export const stageTypes = catalogue({
  name: 'stage-types',
  singular: 'stage type',
  item: stageTypeByItself,
  create: z.object({
    name,
    display_name: name,
    description: text().nullable().optional(),
    value_required: boolean().default(false),
    is_optional: boolean().default(false),
    responsible_authority_id: id().nullable().optional(),
    auto_flag_days: autoFlagDays,
  }),
  patch: z.object({
    name: nullIgnored(name),
    display_name: nullIgnored(name),
    description: text().nullable().optional(),
    value_required: nullIgnored(boolean()),
    is_optional: nullIgnored(boolean()),
    responsible_authority_id: id().nullable().optional(),
    auto_flag_days: autoFlagDays,
  }),
  filters: {},
});
