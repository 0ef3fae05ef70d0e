import { Readable } from 'node:stream';
import type { exportPurposes as endpoint } from '@calculaud/contract/purposes';
import type { Input } from '@calculaud/contract/endpoint';
import { streamRows } from '@calculaud/db/stream';
import type { RequestContext } from '../platform/context.ts';
import type { Services } from '../platform/services.ts';
import { csvHeader, csvRows, currencyCodes } from './queries/export.ts';

/** The CSV export, as a stream that holds only a few hundred rows at a time (contract 3.12). */
export async function exportPurposes(
  { db, config }: Services,
  { today, signal }: RequestContext,
  query: Input<typeof endpoint>['query'],
): Promise<{ stream: Readable; headers: Record<string, string> }> {
  const currencies = query.layout === 'aligned' ? await currencyCodes(db) : undefined;
  const rows = await streamRows(
    db.pool,
    csvRows(db, query, { today, timeZone: config.organisation.timeZone, raw: query.raw, currencies }),
    signal,
  );
  const [year, month, day] = today.split('-');
  return {
    stream: Readable.from(csv(csvHeader(currencies), rows, query.bom), { objectMode: false }),
    headers: {
      'content-disposition': `attachment; filename=purposes_export_${day}-${month}-${year}.csv`,
    },
  };
}

async function* csv(
  header: readonly string[],
  batches: AsyncIterable<readonly { line: string }[]>,
  bom: boolean,
): AsyncIterable<string> {
  yield `${bom ? '\ufeff' : ''}${header.map((title) => `"${title}"`).join(',')}\r\n`;
  for await (const batch of batches) {
    yield batch.map((row) => row.line).join('');
  }
}
