import { parseArgs } from 'node:util';

export interface Options {
  /** Measure how long starts take, and nothing else. */
  readonly start: boolean;
  readonly purposes: number;
  /** Per repeat and side. */
  readonly requests: number;
  readonly repeats: number;
  readonly concurrency: number;
  /** Only what has one of these texts in its name; empty: everything. */
  readonly only: readonly string[];
  readonly json: string | undefined;
  /** A folder whose database is kept, and used again by the next run. */
  readonly data: string | undefined;
  readonly emptyCache: boolean;
}

export const help = `npm run bench -- [options]

Starts the built server on a database of its own, fills it, and prints a Markdown table: what the server serves per
second, beside the same SQL run through pg alone, and a line for each bar of the project. Progress goes to stderr.

  --purposes N      how many purposes to fill in (100000)
  --requests N      requests of each measurement (200); each lasts between 1 s and 10 s in any case
  --repeats N       repeats, server and bare SQL in turns; the medians are printed (3)
  --concurrency N   requests, or bare statements, at a time (4)
  --only NAME       only what has NAME in its name; may be given several times
  --data FOLDER     keep the filled database in FOLDER and use it again the next time
  --json FILE       write everything that was measured there, too
  --start           instead: how long \`npm start\` takes in a fresh clone of the last commit, and the second time
  --empty-cache     with --start: npm's own cache is empty, too, so that every package comes over the network
  --help`;

export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      start: { type: 'boolean', default: false },
      purposes: { type: 'string', default: '100000' },
      requests: { type: 'string', default: '200' },
      repeats: { type: 'string', default: '3' },
      concurrency: { type: 'string', default: '4' },
      only: { type: 'string', multiple: true, default: [] },
      data: { type: 'string' },
      json: { type: 'string' },
      'empty-cache': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    return undefined;
  }
  return {
    start: values.start,
    purposes: count('purposes', values.purposes),
    requests: count('requests', values.requests),
    repeats: count('repeats', values.repeats),
    concurrency: count('concurrency', values.concurrency),
    only: values.only,
    data: values.data,
    json: values.json,
    emptyCache: values['empty-cache'],
  };
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`--${name} takes a whole number above 0, not ${text}`);
  }
  return value;
}
