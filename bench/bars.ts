import type { CrowdMeasurement } from './crowd.ts';
import type { ExportMeasurement } from './export.ts';
import type { Measurement } from './measure.ts';
import type { PageStatements } from './page-statements.ts';
import type { StartTimes } from './start-times.ts';

/** What the project promised, and what was measured. */
export interface Bar {
  readonly promise: string;
  readonly figure: string;
  readonly met: boolean;
}

export interface Results {
  readonly pageStatements: readonly PageStatements[] | undefined;
  readonly measurements: readonly Measurement[];
  readonly export: ExportMeasurement | undefined;
  readonly crowd: CrowdMeasurement | undefined;
}

/** The table below the bars has all. */
const NAMED = 5;

export function barsOf(results: Results): readonly Bar[] {
  const { measurements, pageStatements } = results;
  const slow = (kinds: readonly Measurement['kind'][], promise: string, limit: number) =>
    worst(
      promise,
      measurements.filter(({ kind }) => kinds.includes(kind)),
      ({ served }) => served.p99,
      {
        missed: (p99) => p99 > limit,
        text: (p99) => `${p99.toFixed(0)} ms`,
      },
    );
  return [
    ...(pageStatements ? [fewStatements(pageStatements)] : []),
    ...slow(['list'], 'lists, filters and selective searches: p99 at most 50 ms', 50),
    ...slow(['analytics'], 'analytics: p99 at most 300 ms', 300),
    ...worst('at least 60 % of the bare SQL', measurements, ({ ratio }) => -ratio, {
      missed: (ratio) => -ratio < 0.6,
      text: (ratio) => `${(-ratio * 100).toFixed(0)} %`,
    }),
    ...(results.export
      ? [below('export of everything: added memory under 100 MB', results.export.addedMemory, 100, 'MB')]
      : []),
    ...(results.crowd
      ? [below('the server at 64 connections under 250 MB', results.crowd.memoryPeak, 250, 'MB')]
      : []),
  ];
}

export function startBarsOf({ firstSeconds, laterSeconds }: StartTimes): readonly Bar[] {
  return [
    below('`npm start` in a fresh clone, install included, under 90 s', firstSeconds, 90, 's'),
    below('every later start under 4 s', Math.max(...laterSeconds), 4, 's'),
  ];
}

function below(promise: string, value: number, limit: number, unit: string): Bar {
  return { promise, figure: `${value.toFixed(1)} ${unit}`, met: value < limit };
}

function fewStatements(counts: readonly PageStatements[]): Bar {
  return {
    promise: 'one list page takes at most 2 SQL statements, whatever its size',
    figure: counts.map(({ limit, perPage }) => `${perPage} (${limit} rows)`).join(', '),
    met: counts.every(({ perPage }) => perPage > 0 && perPage <= 2),
  };
}

/** A bar over many measurements: how many miss it, and the worst of them. */
function worst(
  promise: string,
  measurements: readonly Measurement[],
  badness: (measurement: Measurement) => number,
  { missed, text }: { missed: (badness: number) => boolean; text: (badness: number) => string },
): readonly Bar[] {
  const sorted = measurements.toSorted((a, b) => badness(b) - badness(a));
  const [first] = sorted;
  if (!first) {
    return [];
  }
  const misses = sorted.filter((measurement) => missed(badness(measurement)));
  const named = sorted
    .slice(0, Math.max(1, Math.min(misses.length, NAMED)))
    .map((measurement) => `${measurement.name} ${text(badness(measurement))}`);
  const figure = `${misses.length > 0 ? `${misses.length} of ${sorted.length} miss it, ` : ''}at worst ${named.join('; ')}`;
  return [{ promise, figure, met: misses.length === 0 }];
}
