import { pipeline, type Readable, Transform } from 'node:stream';
import type { Input } from '@calculaud/contract/endpoint';
import type { exportPurposes as endpoint } from '@calculaud/contract/purposes';
import { streamRows } from '@calculaud/db/stream';
import type { RequestContext } from '../platform/context.ts';
import { Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import { csvHeader, csvRows, currencyCodes } from './queries/export.ts';

/** Exports under way, by pool: each holds a connection for as long as its reader takes. */
const underWay = new WeakMap<object, number>();

/** The CSV export, as a stream that holds only a few hundred rows at a time (contract 3.12). */
export async function exportPurposes(
  { db, config }: Services,
  { today, signal }: RequestContext,
  query: Input<typeof endpoint>['query'],
): Promise<{ stream: Readable; headers: Record<string, string> }> {
  // At most half of the connections: slow readers must not take them all from everybody else.
  const running = underWay.get(db.pool) ?? 0;
  if (running >= Math.max(1, Math.floor(config.database.poolSize / 2))) {
    throw new Problem('busy', 503, 'As many exports as the server allows are under way: try again later', {
      'retry-after': '10',
    });
  }
  underWay.set(db.pool, running + 1);
  const finished = () => underWay.set(db.pool, (underWay.get(db.pool) ?? 1) - 1);
  try {
    const currencies = query.layout === 'aligned' ? await currencyCodes(db) : undefined;
    const rows = await streamRows(
      db.pool,
      csvRows(db, query, { today, timeZone: config.organisation.timeZone, raw: query.raw, currencies }),
      { signal },
    );
    rows.once('close', finished);
    const [year, month, day] = today.split('-');
    return {
      // A pipeline, so that the end of either side, also an early one, is the end of both.
      stream: pipeline(rows, csvText(csvHeader(currencies), query.bom), () => undefined),
      headers: {
        'content-disposition': `attachment; filename=purposes_export_${day}-${month}-${year}.csv`,
      },
    };
  } catch (error) {
    finished();
    throw error;
  }
}

function csvText(header: readonly string[], bom: boolean): Transform {
  const text = new Transform({
    writableObjectMode: true,
    transform: (batch: readonly { line: string }[], _encoding, done) => {
      done(null, batch.map((row) => row.line).join(''));
    },
  });
  text.push(`${bom ? '\ufeff' : ''}${header.map((title) => `"${title}"`).join(',')}\r\n`);
  return text;
}
