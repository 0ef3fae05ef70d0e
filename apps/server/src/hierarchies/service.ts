import type { Hierarchy } from '@calculaud/contract/hierarchies';
import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { translateConstraints, translateStillReferenced } from '../platform/constraints.ts';
import { actor, type RequestContext } from '../platform/context.ts';
import { counted } from '../platform/counted.ts';
import { envelope, pageOf } from '../platform/paging.ts';
import { notFound, Problem, unknownReference } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import * as queries from './queries.ts';
import { assembleTree, assertPathFits, assertRanksBelow, pathBelow } from './rules.ts';

const TITLE = 'Hierarchy';

interface ListQuery extends queries.NodeFilters, queries.NodeOrder {
  readonly page: number;
  readonly limit?: number | undefined;
}

export async function listNodes({ db, config }: Services, query: ListQuery): Promise<Buffer> {
  const page = pageOf(query, config.paging);
  const { items, total } = await queries.listNodes(db, query, query, page);
  return envelope(items, total, page);
}

export async function getNode(db: Executor, id: number): Promise<string> {
  return found(id, await queries.getNode(db, id));
}

export async function listChildren(db: Executor, id: number, limit: number): Promise<string> {
  return found(id, await queries.listChildren(db, id, limit));
}

/** Everything, or what is below one node: v1 leaves that node itself out. */
export async function getTree(
  db: Executor,
  { hierarchy_id, include_node }: { readonly hierarchy_id?: number | undefined; include_node: boolean },
): Promise<string> {
  // v1 takes 0 for absent.
  const top = hierarchy_id === 0 ? undefined : hierarchy_id;
  const trees = assembleTree(await queries.listSubtree(db, top));
  if (top === undefined) {
    return JSON.stringify(trees);
  }
  const tree = found(top, trees[0]);
  return JSON.stringify(include_node ? [tree] : tree.children);
}

type NewNode = Pick<Hierarchy, 'type' | 'name'> & { readonly parent_id?: number | null | undefined };

export async function createNode(
  { db, config }: Services,
  context: RequestContext,
  node: NewNode,
): Promise<string> {
  return translateConstraints(siblingOfSameName(node.name), () =>
    transaction(db, actor(context), async (tx) => {
      await queries.lockTree(tx);
      const { type, name, parent_id = null } = node;
      const parent = await parentOf(tx, parent_id);
      if (parent && config.organisation.rules.has('hierarchy-rank')) {
        assertRanksBelow({ type }, parent);
      }
      const path = pathWithin(parent, name);
      return getNode(tx, await queries.insertNode(tx, { type, name, parent_id, path }));
    }),
  );
}

type NodeEdit = { readonly [Member in keyof NewNode]?: NewNode[Member] | undefined };

export async function updateNode(
  { db, config }: Services,
  context: RequestContext,
  id: number,
  edit: NodeEdit,
): Promise<string> {
  return transaction(db, actor(context), async (tx) => {
    await queries.lockTree(tx);
    const node = found(id, await queries.findNode(tx, id));
    const { type = node.type, name = node.name, parent_id = node.parent_id } = edit;
    if (parent_id !== null && parent_id !== node.parent_id) {
      await assertNoCycle(tx, id, parent_id);
    }
    const parent = await parentOf(tx, parent_id);
    if (config.organisation.rules.has('hierarchy-rank')) {
      await assertRanks(tx, node, { type, parent });
    }
    const path = pathWithin(parent, name);
    await translateConstraints(siblingOfSameName(name), () =>
      queries.updateNode(tx, { id, type, name, parent_id, path }),
    );
    assertPathFits(await queries.rewritePathsBelow(tx, id));
    return getNode(tx, id);
  });
}

export async function deleteNode({ db }: Services, context: RequestContext, id: number): Promise<void> {
  await translateStillReferenced(
    () => standsInTheWay(db, id),
    () =>
      transaction(db, actor(context), async (tx) => {
        if (!(await queries.deleteNode(tx, id))) {
          throw notFound(TITLE, id);
        }
      }),
  );
}

/** 400 and not 409 as elsewhere: v1's clients know it so. */
async function standsInTheWay(db: Executor, id: number): Promise<Problem> {
  const { children, purposes } = await queries.countUsers(db, id);
  const refused = `${TITLE} with ID ${id} cannot be deleted:`;
  return children > 0
    ? new Problem('has_children', 400, `${refused} it has children (${children})`)
    : new Problem('in_use', 400, `${refused} it is used by ${counted({ purpose: purposes })}`);
}

function found<Record>(id: number, record: Record | undefined): Record {
  if (record === undefined) {
    throw notFound(TITLE, id);
  }
  return record;
}

async function assertNoCycle(tx: Executor, id: number, parentId: number): Promise<void> {
  if (parentId === id) {
    throw new Problem('own_parent', 400, `Hierarchy with ID ${id} cannot be its own parent`);
  }
  if (await queries.isWithin(tx, parentId, id)) {
    throw new Problem(
      'circular',
      400,
      `Circular hierarchy: the node with ID ${parentId} is below the node with ID ${id}`,
    );
  }
}

/** Of a node that changes its type or its place; others stay as they were when the rule was chosen. */
async function assertRanks(
  tx: Executor,
  before: Hierarchy,
  { type, parent }: Pick<Hierarchy, 'type'> & { readonly parent: Hierarchy | undefined },
): Promise<void> {
  const retyped = type !== before.type;
  if (parent && (retyped || parent.id !== before.parent_id)) {
    assertRanksBelow({ type }, parent);
  }
  if (retyped) {
    for (const child of await queries.childTypes(tx, before.id)) {
      assertRanksBelow(child, { type });
    }
  }
}

async function parentOf(tx: Executor, parentId: number | null): Promise<Hierarchy | undefined> {
  const parent = parentId === null ? undefined : await queries.findNode(tx, parentId);
  if (parentId !== null && !parent) {
    throw unknownReference('Parent hierarchy', parentId);
  }
  return parent;
}

function pathWithin(parent: Hierarchy | undefined, name: string): string {
  const path = pathBelow(parent, name);
  assertPathFits(Array.from(path).length);
  return path;
}

/** 400 and not 409 as elsewhere: v1's clients know it so. */
function siblingOfSameName(name: string) {
  return {
    hierarchy_parent_id_name_key: () =>
      new Problem('name_taken', 400, `Hierarchy with name '${name}' already exists under the same parent`),
  };
}
