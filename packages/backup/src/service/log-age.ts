import { parseLsn } from '../postgres/lsn.ts';

interface Sample {
  readonly at: Date;
  readonly systemId: string;
  readonly lsn: bigint;
}

/** Enough to tell the age of days without a store to some minutes. */
const MOST_SAMPLES = 2000;
const FIRST_SPACING_MS = 4000;

/**
 * Tells since when a repository lacks log. The server writes all the time, so that "everything up to now" is never there;
 * but everything that it had written a few seconds ago is, as long as all is well.
 */
export class LogAge {
  #samples: Sample[] = [];
  /** Grows while nothing arrives, so that samples stay few and even. */
  #spacingMs = 0;
  #complete: Date | undefined;

  /** @param complete what is known from before. */
  constructor(complete: Date | undefined) {
    this.#complete = complete;
  }

  /** When the repository last had all that the server had written by then. */
  get complete(): Date | undefined {
    return this.#complete;
  }

  /** How far the server was at a time. */
  written(at: Date, systemId: string, lsn: string): void {
    const position = parseLsn(lsn);
    const [before, last] = this.#samples.slice(-2);
    // An idle server is complete up to the newest look at it, not up to its last write.
    const idle = (last ?? before)?.systemId === systemId && (last ?? before)?.lsn === position;
    const close = before && last && last.at.getTime() - before.at.getTime() < this.#spacingMs;
    if (idle || close) this.#samples.pop();
    this.#samples.push({ at, systemId, lsn: position });
    if (this.#samples.length <= MOST_SAMPLES) return;
    this.#spacingMs = Math.max(this.#spacingMs * 2, FIRST_SPACING_MS);
    this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
  }

  /** How far the repository is. */
  shipped(systemId: string, lsn: string): void {
    const position = parseLsn(lsn);
    const done = this.#samples.findLastIndex((each) => each.systemId === systemId && each.lsn <= position);
    const newest = this.#samples[done];
    if (!newest) return;
    this.#complete = newest.at;
    // It is kept: an idle server is looked at again.
    this.#samples.splice(0, done);
    if (this.#samples.length === 1) this.#spacingMs = 0;
  }
}
