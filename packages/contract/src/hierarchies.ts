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
  /** The names from the root down to this node, joined by ` / `. */
  path: z.string(),
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
  permission: 'hierarchies.read',
  query: z.object({
    ...paging,
    type_filter: oneOf(hierarchyTypes).optional(),
    parent_id: id().optional(),
    search,
    /** A name that cannot be sorted by counts as `name`, as in v1. */
    sort_by: text().default('name'),
    sort_order: sortOrder.default('asc'),
  }),
  success: { status: 200, body: out.page(hierarchy) },
});

export const hierarchyTrees = endpoint({
  id: 'hierarchies.tree',
  method: 'GET',
  path: '/hierarchies/tree',
  summary: 'All roots with everything below them, or what is below one node',
  permission: 'hierarchies.read',
  query: z.object({
    /** The children of this node, each with its subtree; 0 counts as absent, as in v1. */
    hierarchy_id: id().optional(),
    /** The node of `hierarchy_id` itself with its subtree. */
    include_node: boolean().default(false),
  }),
  success: { status: 200, body: z.array(hierarchyTree) },
  errors: [404],
});

const params = z.object({ hierarchy_id: id() });

export const getHierarchy = endpoint({
  id: 'hierarchies.get',
  method: 'GET',
  path: '/hierarchies/{hierarchy_id}',
  summary: 'Show one node',
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
  permission: 'hierarchies.read',
  params,
  query: z.object({ limit: integer({ min: 1, max: 1000 }).default(200) }),
  success: { status: 200, body: z.array(hierarchy) },
  errors: [404],
});

const type = oneOf(hierarchyTypes);
const name = text({ min: 1, max: 200 });
const parentId = id().nullable().optional();

export const createHierarchy = endpoint({
  id: 'hierarchies.create',
  method: 'POST',
  path: '/hierarchies/',
  summary: 'Add a node, at the root or below another',
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
  permission: 'hierarchies.write',
  params,
  success: { status: 204 },
  errors: [400, 404],
});
