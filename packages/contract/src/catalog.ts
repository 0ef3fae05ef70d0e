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
  /** What such a record is. */
  readonly about: string;
  /** When adding or changing one is refused with 400 or 409. */
  readonly refusals: string;
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
  const { name, singular, item, about, refusals } = definition;
  // Every catalogue has both permissions; a name without them does not compile, because they are then `never`.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  const read = `${name}.read` as ReadPermission<Name>;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  const write = `${name}.write` as WritePermission<Name>;
  const params = z.object({ id: id().describe(`The id of the ${singular}.`) });
  return {
    name,
    singular,
    list: endpoint({
      id: `${name}.list`,
      method: 'GET',
      path: `/${name}/`,
      summary: `List ${singular} records by name`,
      description: about,
      permission: read,
      query: z.object({ ...paging, search, ...definition.filters }),
      success: { status: 200, body: out.page(item) },
    }),
    get: endpoint({
      id: `${name}.get`,
      method: 'GET',
      path: `/${name}/{id}`,
      summary: `Show one ${singular}`,
      description: about,
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
      description: `${about} ${refusals}`,
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
      description: refusals,
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

const name = text({ min: 1, max: 255 }).describe('No other has the same.');
const taken = '409: another has the same name.';

export const supplier = z
  .object({
    id: out.id,
    name: z.string(),
    file_icon_id: out.id.nullable(),
    file_icon: fileAttachment.nullable(),
  })
  .meta({ id: 'Supplier' });

const supplierName = text({ min: 1, max: 100 }).describe('No other has the same.');
const fileIconId = id().nullable().optional().describe('An uploaded file, shown as the logo; null: none.');

export const suppliers = catalogue({
  name: 'suppliers',
  singular: 'supplier',
  item: supplier,
  about: 'Who sells; a purpose names one.',
  refusals: `400: there is no such file. ${taken}`,
  create: z.object({ name: supplierName, file_icon_id: fileIconId }),
  patch: z.object({ name: supplierName.optional(), file_icon_id: fileIconId }),
  filters: {},
});

export const serviceType = z.object({ id: out.id, name: z.string() }).meta({ id: 'ServiceType' });

export const serviceTypes = catalogue({
  name: 'service-types',
  singular: 'service type',
  item: serviceType,
  about: 'A category of what is bought; services belong to one, and purposes name one.',
  refusals: taken,
  create: z.object({ name }),
  patch: z.object({ name: nullIgnored(name) }),
  filters: {},
});

export const service = z
  .object({ id: out.id, name: z.string(), service_type_id: out.id })
  .meta({ id: 'Service' });

const serviceName = text({ min: 1, max: 255 }).describe('No other of the same service type has the same.');
const serviceTypeId = id().describe('The service type that it belongs to.');

export const services = catalogue({
  name: 'services',
  singular: 'service',
  item: service,
  about: 'An entry of what can be requested; screens also say material.',
  refusals: '400: there is no such service type. 409: another service of the type has the same name.',
  create: z.object({ name: serviceName, service_type_id: serviceTypeId }),
  patch: z.object({ name: nullIgnored(serviceName), service_type_id: nullIgnored(serviceTypeId) }),
  filters: { service_type_id: id().optional().describe('Only services of this type.') },
});

export const budgetSource = z.object({ id: out.id, name: z.string() }).meta({ id: 'BudgetSource' });

export const budgetSources = catalogue({
  name: 'budget-sources',
  singular: 'budget source',
  item: budgetSource,
  about: 'The line of the budget that pays for a purchase.',
  refusals: taken,
  create: z.object({ name }),
  patch: z.object({ name: name.optional() }),
  filters: {},
});

export const authority = z
  .object({ id: out.id, name: z.string(), description: z.string().nullable(), created_at: out.dateTime })
  .meta({ id: 'Authority' });

const forPeople = text().nullable().optional().describe('For people; null: none.');

export const responsibleAuthorities = catalogue({
  name: 'responsible-authorities',
  singular: 'responsible authority',
  item: authority,
  about: 'The department that must act on a type of stage.',
  refusals: taken,
  create: z.object({ name, description: forPeople }),
  patch: z.object({ name: nullIgnored(name), description: forPeople }),
  filters: {},
});

export const stageType = z
  .object({
    id: out.id,
    name: z.string(),
    display_name: z.string(),
    description: z.string().nullable(),
    value_required: z
      .boolean()
      .describe("Whether a value may be recorded on a stage of this type; the name is v1's."),
    is_optional: z.boolean().describe('Informative only.'),
    responsible_authority_id: out.id.nullable(),
    created_at: out.dateTime,
    responsible_authority: authority.nullable(),
  })
  .meta({ id: 'StageType' });

const stageTypeByItself = stageType
  .extend({
    auto_flag_days: z
      .int()
      .nullable()
      .describe(
        'Days without progress after which a purpose that waits in such a stage is flagged; null: as the configuration says.',
      ),
  })
  .meta({ id: 'StageTypeByItself' });

const displayName = text({ min: 1, max: 255 }).describe('What people read.');
const valueRequired = boolean().describe(
  'Whether a value may be recorded on a stage of this type. With the rule `value-required` it must be, to complete one.',
);
const isOptional = boolean().describe('Informative only.');
const responsibleAuthorityId = id()
  .nullable()
  .optional()
  .describe('Who must act on a stage of this type; null: nobody in particular.');
const autoFlagDays = integer({ min: 1, max: 3650 })
  .nullable()
  .optional()
  .describe(
    'Days without progress after which a purpose that waits in such a stage is flagged; null: as the configuration says.',
  );

export const stageTypes = catalogue({
  name: 'stage-types',
  singular: 'stage type',
  item: stageTypeByItself,
  about: 'A kind of step of a purchase: who must act, and whether a value is recorded on it.',
  refusals: `400: there is no such authority. ${taken}`,
  create: z.object({
    name,
    display_name: displayName,
    description: forPeople,
    value_required: valueRequired.default(false),
    is_optional: isOptional.default(false),
    responsible_authority_id: responsibleAuthorityId,
    auto_flag_days: autoFlagDays,
  }),
  patch: z.object({
    name: nullIgnored(name),
    display_name: nullIgnored(displayName),
    description: forPeople,
    value_required: nullIgnored(valueRequired),
    is_optional: nullIgnored(isOptional),
    responsible_authority_id: responsibleAuthorityId,
    auto_flag_days: autoFlagDays,
  }),
  filters: {},
});
