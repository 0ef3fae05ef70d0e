import type { BackupStore } from '../../repository/store.ts';

export interface MemoryStore extends BackupStore {
  /** What the clock of the store says. */
  now: Date;
  /** After so many changes every call fails, as if the process had been killed, until `revive`. */
  killAfter(changes: number): void;
  revive(): void;
  readonly keys: () => readonly string[];
}

/** For thousands of steps in a second. What a folder or a bucket does is tested with these. */
export function memoryStore(): MemoryStore {
  const objects = new Map<string, { readonly content: Buffer; readonly modified: Date }>();
  let left = Number.POSITIVE_INFINITY;
  const alive = () => {
    if (left <= 0) throw new Error('killed');
  };
  const change = () => {
    alive();
    left -= 1;
  };
  const store: MemoryStore = {
    address: 'memory://test',
    now: new Date(0),
    killAfter: (changes) => {
      left = changes;
    },
    revive: () => {
      left = Number.POSITIVE_INFINITY;
      // By then their terms are over.
      for (const key of objects.keys()) if (key.startsWith('leases/')) objects.delete(key);
    },
    keys: () => [...objects.keys()],
    put: async (key, content, { ifAbsent = false } = {}) => {
      change();
      if (ifAbsent && objects.has(key)) return false;
      objects.set(key, { content: Buffer.from(content), modified: store.now });
      return true;
    },
    get: async (key) => {
      alive();
      return objects.get(key)?.content;
    },
    async *list(prefix) {
      alive();
      for (const [key, { content, modified }] of objects) {
        if (key.startsWith(prefix)) yield { key, size: content.length, modified };
      }
    },
    delete: async (key) => {
      change();
      objects.delete(key);
    },
    close: async () => undefined,
  };
  return store;
}
