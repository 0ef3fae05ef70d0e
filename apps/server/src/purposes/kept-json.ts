/** What the JSON of a purpose was made of, besides the purpose itself. */
export interface MadeOf {
  /** Changes with the row of the purpose, which everything that belongs to it touches. */
  readonly state: string;
  /** Changes with the records that purposes nest. */
  readonly catalogueVersion: string;
}

/** What it depends on beyond the database. */
export interface Circumstances {
  readonly today: string;
  /** Stands in the JSON of those that have files. */
  readonly links: { readonly beforeId: string; readonly beforeSignature: string };
}

interface Kept extends MadeOf {
  readonly json: Buffer;
  readonly today: string;
  /** Undefined for a purpose without files. */
  readonly links: string | undefined;
}

/** For 1,600 purposes of 10 kB, those that people look at in these hours; the server stays within 250 MB. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * The JSON of the purposes that were asked for lately. A page of fifty takes the database 6 to 13 ms to make and hardly one
 * to find; whether what is kept still holds is asked of the database every time, so it is never out of date.
 */
export class KeptJson {
  readonly #mostBytes: number;
  /** In order of use, because a Map keeps the order of insertion and every use inserts again. */
  readonly #kept = new Map<number, Kept>();
  #bytes = 0;

  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The JSON of the purpose if it is still what would be made now. */
  get(id: number, { state, catalogueVersion }: MadeOf, { today, links }: Circumstances): Buffer | undefined {
    const kept = this.#kept.get(id);
    if (
      kept?.state !== state ||
      kept.catalogueVersion !== catalogueVersion ||
      kept.today !== today ||
      (kept.links !== undefined && kept.links !== textOf(links))
    ) {
      return undefined;
    }
    this.#kept.delete(id);
    this.#kept.set(id, kept);
    return kept.json;
  }

  set(id: number, { state, catalogueVersion }: MadeOf, { today, links }: Circumstances, json: Buffer): void {
    this.#remove(id);
    const hasLinks = json.includes(links.beforeSignature);
    this.#kept.set(id, {
      json,
      state,
      catalogueVersion,
      today,
      links: hasLinks ? textOf(links) : undefined,
    });
    this.#bytes += json.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#mostBytes) break;
      this.#remove(oldest);
    }
  }

  #remove(id: number): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    this.#kept.delete(id);
    this.#bytes -= kept.json.length;
  }
}

function textOf({ beforeId, beforeSignature }: Circumstances['links']): string {
  return `${beforeId} ${beforeSignature}`;
}
