import { z } from 'zod';
import { endpoint } from './endpoint.ts';
import { boolean, id, integer, oneOf, paging, search, sortOrder, text } from './input.ts';
import * as out from './output.ts';

/** The requesting organisation's tree (contract 2.3 and 3.4). */

/** In the order of rank, highest first. Any type may stand under any other. */
export const hierarchyTypes = ['UNIT', 'CENTER', 'ANAF', 'MADOR', 'TEAM'] as const;

const members = {
  id: out.id,
  type: z.enum(hierarchyTypes),
  name: z.string(),
  parent_id: out.id.nullable(),
  path: z.string().describe('The names from the root down to this node, joined by ` / `.'),
};

export const hierarchy = z.object(members).meta({ id: 'Hierarchy' });
export type Hierarchy = z.output<typeof hierarchy>;

export interface HierarchyTree extends Hierarchy {
  readonly children: HierarchyTree[];
}

export const hierarchyTree: z.ZodType<HierarchyTree> = z
  .object({ ...members, children: z.array(z.lazy(() => hierarchyTree)) })
  .meta({ id: 'HierarchyTree' });

export const listHierarchies = endpoint({
  id: 'hierarchies.list',
  method: 'GET',
  path: '/hierarchies/',
  summary: 'Search, filter and sort the nodes of the organisation',
  description: 'The search looks at names.',
  permission: 'hierarchies.read',
  query: z.object({
    ...paging,
    type_filter: oneOf(hierarchyTypes).optional().describe('Only nodes of this type.'),
    parent_id: id().optional().describe('Only nodes directly below this one.'),
    search,
    sort_by: text().default('name').describe('A name that cannot be sorted by counts as `name`, as in v1.'),
    sort_order: sortOrder.default('asc'),
  }),
  success: { status: 200, body: out.page(hierarchy) },
});

export const hierarchyTrees = endpoint({
  id: 'hierarchies.tree',
  method: 'GET',
  path: '/hierarchies/tree',
  summary: 'All roots with everything below them, or what is below one node',
  description: 'Children stand inside their parents, by name.',
  permission: 'hierarchies.read',
  query: z.object({
    hierarchy_id: id()
      .optional()
      .describe('The children of this node, each with its subtree; 0 counts as absent, as in v1.'),
    include_node: boolean().default(false).describe('The node of `hierarchy_id` itself with its subtree.'),
  }),
  success: { status: 200, body: z.array(hierarchyTree) },
  errors: [404],
});

const params = z.object({ hierarchy_id: id().describe('The id of the node.') });

export const getHierarchy = endpoint({
  id: 'hierarchies.get',
  method: 'GET',
  path: '/hierarchies/{hierarchy_id}',
  summary: 'Show one node',
  description: 'With its path, the names from the root down to it.',
  permission: 'hierarchies.read',
  params,
  success: { status: 200, body: hierarchy },
  errors: [404],
});

export const hierarchyChildren = endpoint({
  id: 'hierarchies.children',
  method: 'GET',
  path: '/hierarchies/{hierarchy_id}/children',
  summary: 'The nodes directly below one node, by name',
  description: 'Without those further down.',
  permission: 'hierarchies.read',
  params,
  query: z.object({ limit: integer({ min: 1, max: 1000 }).default(200).describe('At most so many.') }),
  success: { status: 200, body: z.array(hierarchy) },
  errors: [404],
});

const type = oneOf(hierarchyTypes).describe(
  'What kind of unit it is; unless the rule `hierarchy-rank` is on, any may stand below any.',
);
const name = text({ min: 1, max: 200 }).describe('No other node below the same parent has the same.');
const parentId = id().nullable().optional().describe('The node above it; null: it is a root.');

export const createHierarchy = endpoint({
  id: 'hierarchies.create',
  method: 'POST',
  path: '/hierarchies/',
  summary: 'Add a node, at the root or below another',
  description:
    '400: there is no such parent, or a node below it has the same name. 409: the rule `hierarchy-rank` speaks against it.',
  permission: 'hierarchies.write',
  body: z.object({ type, name, parent_id: parentId }),
  success: { status: 201, body: hierarchy },
  errors: [400, 409],
});

export const updateHierarchy = endpoint({
  id: 'hierarchies.update',
  method: 'PATCH',
  path: '/hierarchies/{hierarchy_id}',
  summary: 'Rename, retype or move a node: only the members present',
  description:
    'The paths of everything below it follow. 400: the parent does not exist, is the node itself or stands below it, or has a child of the name. 409: the rule `hierarchy-rank` speaks against it.',
  permission: 'hierarchies.write',
  params,
  body: z.object({ type: type.optional(), name: name.optional(), parent_id: parentId }),
  success: { status: 200, body: hierarchy },
  errors: [400, 404, 409],
});

export const deleteHierarchy = endpoint({
  id: 'hierarchies.delete',
  method: 'DELETE',
  path: '/hierarchies/{hierarchy_id}',
  summary: 'Delete a node that has no children and no purposes',
  description: 'Otherwise 400, which counts them.',
  permission: 'hierarchies.write',
  params,
  success: { status: 204 },
  errors: [400, 404],
});
