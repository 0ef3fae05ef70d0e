import { cpus, loadavg, totalmem } from 'node:os';
import type { Bar, Results } from './bars.ts';
import { CONNECTIONS } from './crowd.ts';
import type { Measurement } from './measure.ts';
import type { Options } from './options.ts';
import type { StartTimes } from './start-times.ts';

/** Markdown, to be put into docs/evidence/ as it is. */
export function report(
  { purposes, version, options }: { purposes: number; version: string; options: Options },
  results: Results,
  bars: readonly Bar[],
): string {
  const { measurements, crowd } = results;
  return [
    '# Bench',
    '',
    `${purposes} purposes, PostgreSQL ${version}, ${machine()}.`,
    `Concurrency ${options.concurrency}; medians of ${options.repeats} repeats of ${options.requests} requests, server and bare SQL in turns, all from one process.`,
    'Bare: the same statements with the same parameters through pg alone. Ratio: requests served per bare run. Server ms: processor time of the server without its database, per request.',
    '',
    ...barTable(bars),
    ...(measurements.length > 0 ? measurementTable(measurements) : []),
    ...(results.export ? exportTable(results.export) : []),
    ...(crowd
      ? [
          `Mixed load at ${CONNECTIONS} connections: ${crowd.perSecond.toFixed(1)} requests/s, p50 ${ms(crowd.p50)} ms, p99 ${ms(crowd.p99)} ms; ` +
            `the server had ${crowd.memoryBefore.toFixed(0)} MB before, ${crowd.memoryPeak.toFixed(0)} MB at most.`,
          '',
        ]
      : []),
    ...(results.pageStatements ?? []).map(
      ({ limit, perPage, signInPerPage }) =>
        `- A page of ${limit}: ${perPage} statements, and ${signInPerPage} for the sign-in, as the database counted them.`,
    ),
  ].join('\n');
}

export function startReport(times: StartTimes, bars: readonly Bar[]): string {
  const { commit, emptyCache, firstSeconds, laterSeconds } = times;
  return [
    '# Start',
    '',
    `Commit ${commit}, npm's cache ${emptyCache ? 'empty' : 'as it was'}, ${machine()}.`,
    '',
    ...barTable(bars),
    `First start ${firstSeconds.toFixed(1)} s; later ones ${laterSeconds.map((seconds) => seconds.toFixed(1)).join(', ')} s.`,
  ].join('\n');
}

function machine(): string {
  const [cpu] = cpus();
  return `Node ${process.versions.node}, ${cpus().length} × ${cpu?.model ?? 'CPU'}, ${(totalmem() / 1e9).toFixed(0)} GB, load average ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')} at the end`;
}

function barTable(bars: readonly Bar[]): readonly string[] {
  return table(
    ['bar', 'measured', ''],
    bars.map(({ promise, figure, met }) => [promise, figure, met ? 'met' : '**missed**']),
  );
}

function measurementTable(measurements: readonly Measurement[]): readonly string[] {
  return table(
    [
      'what',
      'matches',
      'kB',
      'SQL',
      'req/s',
      'p50 ms',
      'p99 ms',
      'bare/s',
      'bare p50',
      'bare p99',
      'ratio',
      'server ms',
      'load',
    ],
    measurements.map(({ name, matches, bytes, statements, served, bare, ratio, serverTime, loadAverage }) => [
      name,
      matches === undefined ? '' : String(matches),
      (bytes / 1000).toFixed(1),
      String(statements.length),
      served.perSecond.toFixed(1),
      ms(served.p50),
      ms(served.p99),
      bare.perSecond.toFixed(1),
      ms(bare.p50),
      ms(bare.p99),
      `${(ratio * 100).toFixed(0)} %`,
      serverTime === undefined ? '' : serverTime.toFixed(2),
      loadAverage.toFixed(1),
    ]),
  );
}

function exportTable(measured: NonNullable<Results['export']>): readonly string[] {
  const { rows, bytes, seconds, firstByteMs, bareSeconds, addedMemory, memoryBefore } = measured;
  return table(
    [
      'CSV export',
      'MB',
      's',
      'rows/s',
      'first byte ms',
      'bare s',
      'bare rows/s',
      'ratio',
      'added MB',
      'MB before',
    ],
    [
      [
        `${rows} rows`,
        (bytes / 1e6).toFixed(1),
        seconds.toFixed(1),
        (rows / seconds).toFixed(0),
        ms(firstByteMs),
        bareSeconds.toFixed(1),
        (rows / bareSeconds).toFixed(0),
        `${((bareSeconds / seconds) * 100).toFixed(0)} %`,
        addedMemory.toFixed(1),
        memoryBefore.toFixed(0),
      ],
    ],
  );
}

function ms(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line), ''];
}
