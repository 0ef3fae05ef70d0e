import type { PoolClient } from 'pg';
import type { Statement } from './recorder.ts';

/** Where the value of a parameter comes from when the statements run again for another subject. */
type Source = (subject: number | undefined, answeredIds: readonly unknown[]) => unknown;

interface Step {
  readonly name: string | undefined;
  readonly text: string;
  readonly sources: readonly Source[];
  readonly rowCount: number | null;
}

/** The statements of one request as they are sent through pg alone, for any subject. */
export class Replay {
  readonly #steps: readonly Step[];

  constructor(statements: readonly Statement[], subject: number | undefined) {
    this.#steps = statements.map(({ query, rowCount }, position) => ({
      name: query.name,
      text: query.text,
      sources: query.values.map((value) => sourceOf(value, subject, statements.slice(0, position))),
      rowCount,
    }));
  }

  /** Without the ends of transactions and the note of who acts. */
  get statements(): readonly string[] {
    return this.#steps
      .map(({ text }) => /^\s*\/\*\s*([^*]*?)\s*\*\//.exec(text)?.[1] ?? text)
      .filter((name) => !['begin', 'commit', 'transaction actor'].includes(name));
  }

  async run(client: PoolClient, subject: number | undefined): Promise<void> {
    const ids: unknown[] = [];
    for (const { name, text, sources, rowCount } of this.#steps) {
      const values = sources.map((source) => source(subject, ids));
      const result = await client.query<Record<string, unknown>>({ ...(name ? { name } : {}), text, values });
      if (result.rowCount !== rowCount) {
        throw new Error(
          `the server's statement had ${rowCount} rows, its replay ${result.rowCount}: ${text}`,
        );
      }
      ids.push(result.rows[0]?.['id']);
    }
  }
}

function sourceOf(value: unknown, subject: number | undefined, before: readonly Statement[]): Source {
  if (typeof value === 'number' && value === subject) {
    return (another) => another;
  }
  // The id of a row that was added a moment ago: an insert answers it.
  const insert = before.findIndex(
    ({ query, rows }) => /\binsert into\b/.test(query.text) && rows[0]?.['id'] === value,
  );
  return insert === -1 ? () => value : (_, ids) => ids[insert];
}
