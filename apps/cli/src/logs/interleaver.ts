interface Timed {
  readonly at: string;
}

/** How long a line waits for an earlier one of another instance. */
const WAIT_MS = 500;

/**
 * Brings the lines of several instances into the order in which they were written. Each instance has its own way here, so a
 * line is kept for a moment: long enough for the ways to differ, too short for somebody who watches.
 */
export class Interleaver<T extends Timed> {
  #waiting: { readonly line: T; readonly arrivedAt: number }[] = [];

  add(line: T, now: number): void {
    this.#waiting.push({ line, arrivedAt: now });
  }

  /** The lines that have waited long enough, and whatever was written before them. */
  ripe(now: number): readonly T[] {
    const old = this.#waiting.filter(({ arrivedAt }) => now - arrivedAt >= WAIT_MS);
    const last = old.reduce((latest, { line }) => (line.at > latest ? line.at : latest), '');
    return this.#take(({ at }) => at <= last);
  }

  rest(): readonly T[] {
    return this.#take(() => true);
  }

  #take(isTaken: (line: T) => boolean): readonly T[] {
    const taken = this.#waiting.filter(({ line }) => isTaken(line)).map(({ line }) => line);
    this.#waiting = this.#waiting.filter(({ line }) => !isTaken(line));
    return taken.toSorted((one, other) => (one.at < other.at ? -1 : Number(one.at > other.at)));
  }
}
