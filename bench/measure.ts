import { loadavg } from 'node:os';
import type { PoolClient } from 'pg';
import type { Case } from './cases.ts';
import type { Client } from './client.ts';
import { load, medianSpeed, type Speed } from './load.ts';
import type { Options } from './options.ts';
import type { Recorder } from './recorder.ts';
import { processorTime } from './processor-time.ts';
import { Replay } from './replay.ts';

export interface Measurement {
  readonly name: string;
  readonly kind: Case['kind'];
  readonly served: Speed;
  readonly bare: Speed;
  /** Requests served per second for every bare run of their SQL. */
  readonly ratio: number;
  /** Milliseconds that the server itself computes for a request, without its database: the same on a busy machine. */
  readonly serverTime: number | undefined;
  /** The names of the statements of one request. */
  readonly statements: readonly string[];
  /** Of one answer. */
  readonly bytes: number;
  /** How many purposes match, for lists. */
  readonly matches: number | undefined;
  /** Of the machine in the last minute. */
  readonly loadAverage: number;
}

export interface Sides {
  readonly client: Client;
  /** Of the server. */
  readonly pid: number;
  readonly recorder: Recorder;
  /** For the bare SQL, one for each worker. */
  readonly connections: readonly PoolClient[];
}

/**
 * Plans are settled after five runs on each connection. The server's code is compiled as it runs: one purpose was served
 * 411 times a second in the first 3 s, 595 in the next, 721 then, and no faster afterwards.
 */
const WARM_UP = {
  served: { requests: 40, leastSeconds: 5, mostSeconds: 8 },
  bare: { requests: 40, leastSeconds: 1, mostSeconds: 3 },
};
const LIMITS = { leastSeconds: 1, mostSeconds: 10 };

/** The server and its bare SQL in turns, so that whatever else the machine does meets both. */
export async function measure(
  { name, kind, request }: Case,
  { client, pid, recorder, connections }: Sides,
  { requests, repeats, concurrency }: Options,
): Promise<Measurement> {
  const first = request();
  const replay = new Replay(await recorder.statementsOf(first), first.subject);
  const answer = await client.text(request());
  const served = () => client.bytes(request());
  const bare = async (worker: number) => {
    const connection = connections[worker];
    if (!connection) {
      throw new Error('every worker has a connection');
    }
    await replay.run(connection, request().subject);
  };

  let serverTime = 0;
  const speeds: { served: Speed[]; bare: Speed[] } = { served: [], bare: [] };
  await load(served, { concurrency, ...WARM_UP.served });
  await load(bare, { concurrency, ...WARM_UP.bare });
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const before = processorTime(pid);
    speeds.served.push(await load(served, { concurrency, requests, ...LIMITS }));
    serverTime += (processorTime(pid) ?? Number.NaN) - (before ?? Number.NaN);
    speeds.bare.push(await load(bare, { concurrency, requests, ...LIMITS }));
  }
  const medians = { served: medianSpeed(speeds.served), bare: medianSpeed(speeds.bare) };
  const matches = /"total":(\d+),"page":/.exec(answer)?.[1];
  return {
    name,
    kind,
    ...medians,
    ratio: medians.served.perSecond / medians.bare.perSecond,
    serverTime: Number.isNaN(serverTime) ? undefined : serverTime / medians.served.count,
    statements: replay.statements,
    bytes: Buffer.byteLength(answer),
    matches: matches === undefined ? undefined : Number(matches),
    loadAverage: loadavg()[0] ?? Number.NaN,
  };
}
