import { BoundedMap } from './bounded-map.ts';

export interface Loaded<Value> {
  readonly value: Value;
  readonly lifetimeMs: number;
}

/**
 * Remembers what was found out, for a while and within a limited number of entries. Several callers who miss the same
 * entry at once share one load. Failures are not remembered.
 */
export class ExpiringCache<Value> {
  readonly #entries: BoundedMap<{ readonly value: Value; readonly expiresAt: number }>;
  readonly #loading = new Map<string, Promise<Value>>();

  constructor(capacity: number) {
    this.#entries = new BoundedMap(capacity);
  }

  async lookUp(key: string, load: () => Promise<Loaded<Value>>): Promise<Value> {
    const known = this.#entries.get(key);
    if (known && performance.now() < known.expiresAt) {
      return known.value;
    }
    const loading = this.#loading.get(key) ?? this.#load(key, load);
    return loading;
  }

  #load(key: string, load: () => Promise<Loaded<Value>>): Promise<Value> {
    // What is found out may be as old as the beginning of the load, so the lifetime counts from there.
    const startedAt = performance.now();
    const loading = load()
      .then(({ value, lifetimeMs }) => {
        this.#entries.set(key, { value, expiresAt: startedAt + lifetimeMs });
        return value;
      })
      .finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }
}
