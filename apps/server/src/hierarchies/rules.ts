import { type Hierarchy, type HierarchyTree, hierarchyTypes } from '@calculaud/contract/hierarchies';
import { Problem } from '../platform/problem.ts';

/** What fits into the column. */
export const MAXIMUM_PATH = 1000;

/** The path of a node of this name: its parent's and its own name (contract 3.4). */
export function pathBelow(parent: { readonly path: string } | undefined, name: string): string {
  return parent ? `${parent.path} / ${name}` : name;
}

export function assertPathFits(length: number): void {
  if (length > MAXIMUM_PATH) {
    throw new Problem(
      'path_too_long',
      400,
      `The path would have ${length} characters, of this node or of one below it; at most ${MAXIMUM_PATH} fit`,
    );
  }
}

/** The rule `hierarchy-rank`: what stands below ranks below, by any number of ranks. */
export function assertRanksBelow(child: Pick<Hierarchy, 'type'>, parent: Pick<Hierarchy, 'type'>): void {
  if (hierarchyTypes.indexOf(child.type) <= hierarchyTypes.indexOf(parent.type)) {
    throw new Problem(
      'wrong_rank',
      409,
      `A ${child.type} cannot stand below a ${parent.type}: the ranks are ${hierarchyTypes.join(', ')}, from the top`,
    );
  }
}

/** Each node with what is below it, in the order of the list. Nodes whose parent is not in the list are the roots. */
export function assembleTree(nodes: readonly Hierarchy[]): HierarchyTree[] {
  const trees = new Map(nodes.map((node) => [node.id, { ...node, children: [] as HierarchyTree[] }]));
  const roots: HierarchyTree[] = [];
  for (const tree of trees.values()) {
    const parent = tree.parent_id === null ? undefined : trees.get(tree.parent_id);
    (parent?.children ?? roots).push(tree);
  }
  return roots;
}
