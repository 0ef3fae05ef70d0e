import type { Executor } from '@calculaud/db/database';
import { nodes, serviceTypes, suppliers } from './organisation.ts';
import { people } from './people.ts';
import {
  insertNodes,
  type Reference,
  nodesAt,
  saveNamed,
  savePeople,
  saveServices,
} from './queries/organisation.ts';
import { reserveIds } from './queries/purposes.ts';
import type { Ids } from './rows.ts';

/** By whom the rows of the demonstration are known: its principals have this subject, or one that goes on after it. */
export const SUBJECT = 'demonstration';

export type OrganisationIds = Omit<Ids, 'purposes' | 'purchases' | 'nobody' | 'budget'>;

/** Saves the people, the tree and the catalogue. What exists under the same name is used, and stays whose it is. */
export async function saveOrganisation(tx: Executor): Promise<OrganisationIds> {
  const persons = await savePeople(
    tx,
    people.map(({ key, name }) => ({ subject: `${SUBJECT}:${key}`, name })),
  );
  const nodeIds = await saveNodes(tx);
  const supplierIds = await saveNamed(tx, 'supplier', suppliers);
  const typeIds = await saveNamed(
    tx,
    'service_type',
    serviceTypes.map(({ name }) => name),
  );
  const services = serviceTypes.flatMap(({ name: type, services: names }) =>
    names.map((name) => ({ name, service_type_id: found(typeIds, type) })),
  );
  const serviceIds = await saveServices(tx, services);
  const byTypeAndName = new Map(
    services.map(({ name, service_type_id }, index) => [`${service_type_id} ${name}`, serviceIds[index]]),
  );
  const byKey = new Map(people.map(({ key }, index) => [key, persons[index]]));
  return {
    person: ({ key }) => found(byKey, key),
    node: (number) => found(nodeIds, number),
    supplier: (name) => found(supplierIds, name),
    serviceType: (name) => found(typeIds, name),
    service: (type, name) => found(byTypeAndName, `${found(typeIds, type)} ${name}`),
  };
}

/** On a new database the numbers of the nodes become their ids: the first that its sequence gives. */
async function saveNodes(tx: Executor): Promise<ReadonlyMap<number, number>> {
  const paths = new Map<number, string>();
  for (const { number, parent, name } of nodes) {
    paths.set(number, parent === null ? name : `${found(paths, parent)} / ${name}`);
  }
  const existing = new Map((await nodesAt(tx, [...paths.values()])).map(({ id, path }) => [path, id]));
  const reserved = await reserveIds(tx, 'hierarchy', Math.max(...nodes.map(({ number }) => number)));
  const ids = new Map(
    nodes.map(({ number }) => [number, existing.get(found(paths, number)) ?? reserved[number - 1]]),
  );
  await insertNodes(
    tx,
    nodes
      .filter(({ number }) => !existing.has(found(paths, number)))
      .map(({ number, parent, type, name }) => ({
        id: found(ids, number),
        parent_id: parent === null ? null : found(ids, parent),
        type,
        name,
        path: found(paths, number),
      })),
  );
  return new Map(nodes.map(({ number }) => [number, found(ids, number)]));
}

/** The budget sources come with the installation; one that was renamed or deleted since is not used. */
export function budgetIds({ budgets }: Reference): Ids['budget'] {
  const ids = new Map(budgets.map(({ id, name }) => [name, id]));
  return (name) => ids.get(name) ?? null;
}

function found<Key, Value>(map: ReadonlyMap<Key, Value | undefined>, key: Key): Value {
  const value = map.get(key);
  if (value === undefined) throw new Error(`${String(key)} was saved and is not there`);
  return value;
}
