import { z } from 'zod';
import { decode, encode } from '../repository/encoding.ts';
import type { OpenedRepository } from '../repository/open-repository.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';
import { opened, signed } from '../repository/signed.ts';
import type { StoredObject } from '../repository/store.ts';

/**
 * Objects that nobody needed at a time: whatever of them is still needless 72 hours later is removed. The list is rewritten
 * as objects leave it, because they were removed or found a use again.
 */
const tombstone = z.strictObject({
  format: z.literal(1),
  name: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  markedAt: z.iso.datetime(),
  who: z.string(),
  keys: z.array(z.string().min(1)),
});
export type Tombstone = z.output<typeof tombstone>;

/** What the removal of objects takes beside what everybody does with a repository. */
export interface PrunableRepository extends Repository {
  listKeys(prefix: string): AsyncIterable<StoredObject>;
  /** It is no error when there is nothing. */
  deleteKey(key: string): Promise<void>;
  /** Replaces the one of the same name. */
  putTombstone(content: Tombstone): Promise<void>;
  /** Rejects when one cannot be read. */
  listTombstones(): Promise<readonly Tombstone[]>;
  removeTombstone(name: string): Promise<void>;
}

const PREFIX = 'tombstones/';

/** Over an opened repository, whose keys and store the removal shares. */
export function prunable(repository: OpenedRepository): PrunableRepository {
  const { keyring, store } = repository;
  const read = async (key: string): Promise<Tombstone | undefined> => {
    const object = await store.get(key);
    if (!object) return undefined;
    const parsed = tombstone.safeParse(opened(keyring, key, await decode(keyring, key, object)));
    if (parsed.success && `${PREFIX}${parsed.data.name}` === key) return parsed.data;
    throw new BackupProblem(
      'corrupt',
      `The list of marked objects ${key} of ${store.address} is damaged. Delete this object: what it names is then marked again.`,
      { object: key },
    );
  };
  return {
    ...repository,
    listKeys: (prefix) => store.list(prefix),
    deleteKey: async (key) => store.delete(key),
    putTombstone: async (content) => {
      const key = `${PREFIX}${content.name}`;
      const record = signed(keyring, key, tombstone.parse(content));
      await store.put(key, await encode(keyring, key, record));
    },
    listTombstones: async () => {
      const found: Tombstone[] = [];
      for await (const { key } of store.list(PREFIX)) {
        const content = await read(key);
        if (content) found.push(content);
      }
      return found.toSorted((one, other) => (one.name < other.name ? -1 : 1));
    },
    removeTombstone: async (name) => store.delete(`${PREFIX}${name}`),
  };
}
