/** A map of limited size: when it is full, what was not used for the longest time makes room. */
export class BoundedMap<Value> {
  readonly #capacity: number;
  /** In order of use, because a Map keeps the order of insertion and every use inserts again. */
  readonly #entries = new Map<string, Value>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > this.#capacity && !oldest.done) {
      this.#entries.delete(oldest.value);
    }
  }
}
