import { exportPurposes } from '@calculaud/contract/purposes';
import type { Database } from '@calculaud/db/database';
import { streamRows } from '@calculaud/db/stream';
import { csvRows } from '@calculaud/server/purposes/queries/export';
import type { Client } from './client.ts';
import { median } from './load.ts';
import { peakWhile } from './memory.ts';

export interface ExportMeasurement {
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly firstByteMs: number;
  /** The same rows read through pg alone. */
  readonly bareSeconds: number;
  /** The most of all repeats, in MB: peak during the export less what the server had before it. */
  readonly addedMemory: number;
  readonly memoryBefore: number;
}

/** The export of everything. Comes before any other load, whose memory would hide that of the export. */
export async function measureExport(
  { client, pid, db }: { client: Client; pid: number; db: Database },
  repeats: number,
): Promise<ExportMeasurement> {
  // A first small answer: what any first request needs is not the export's.
  await client.bytes({ method: 'GET', path: '/api/v1/purposes/?limit=1' });
  const served: { seconds: number; firstByteMs: number; bytes: number; added: number; before: number }[] = [];
  const bare: { seconds: number; rows: number }[] = [];
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const { result, before, peak } = await peakWhile(pid, () => download(client));
    served.push({ ...result, before, added: peak - before });
    bare.push(await readBare(db));
  }
  return {
    rows: bare[0]?.rows ?? 0,
    bytes: served[0]?.bytes ?? 0,
    seconds: median(served.map(({ seconds }) => seconds)),
    firstByteMs: median(served.map(({ firstByteMs }) => firstByteMs)),
    bareSeconds: median(bare.map(({ seconds }) => seconds)),
    addedMemory: Math.max(...served.map(({ added }) => added)),
    memoryBefore: served[0]?.before ?? Number.NaN,
  };
}

async function download(client: Client): Promise<{ seconds: number; firstByteMs: number; bytes: number }> {
  const begin = performance.now();
  let firstByteMs: number | undefined;
  let bytes = 0;
  await client.read({ method: 'GET', path: `/api/v1${exportPurposes.path}` }, (chunk) => {
    firstByteMs ??= performance.now() - begin;
    bytes += chunk.length;
  });
  return { seconds: (performance.now() - begin) / 1000, firstByteMs: firstByteMs ?? Number.NaN, bytes };
}

async function readBare(db: Database): Promise<{ seconds: number; rows: number }> {
  const begin = performance.now();
  const query = csvRows(db, exportPurposes.query.parse({}), {
    today: new Date().toISOString().slice(0, 10),
    timeZone: 'UTC',
    raw: false,
  });
  let rows = 0;
  const batches: AsyncIterable<readonly unknown[]> = await streamRows(db.pool, query);
  for await (const batch of batches) {
    rows += batch.length;
  }
  return { seconds: (performance.now() - begin) / 1000, rows };
}
