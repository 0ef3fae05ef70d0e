import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { openDatabase } from '@calculaud/db/database';
import { barsOf, type Results, startBarsOf } from './bars.ts';
import { type Case, casesOf } from './cases.ts';
import { Client } from './client.ts';
import { measureCrowd } from './crowd.ts';
import { measureExport } from './export.ts';
import { type Measurement, measure } from './measure.ts';
import { help, type Options, readOptions } from './options.ts';
import { countPageStatements } from './page-statements.ts';
import { openRecorder } from './recorder.ts';
import { report, startReport } from './report.ts';
import { type Stand, setUp } from './stand.ts';
import { measureStarts } from './start-times.ts';
import { chooseSubjects } from './subjects.ts';

const options = readOptions(process.argv.slice(2));
if (!options) {
  console.log(help);
} else if (options.start) {
  const times = await measureStarts(options, log);
  const bars = startBarsOf(times);
  save(options, { times, bars });
  console.log(startReport(times, bars));
} else {
  await benchSystem(options);
}

async function benchSystem(options: Options): Promise<void> {
  log(
    `load average ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
  const stand = await setUp(options, log);
  const interrupt = () => void stand.close().finally(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const results = await measureAll(stand, options);
    const bars = barsOf(results);
    save(options, { options, results, bars });
    console.log(report({ ...stand, options }, results, bars));
  } finally {
    await stand.close();
  }
}

async function measureAll(stand: Stand, options: Options): Promise<Results> {
  const { system, pid, token, database, purposes } = stand;
  const { concurrency, repeats, requests } = options;
  const wanted = (name: string) =>
    options.only.length === 0 || options.only.some((text) => name.includes(text));
  const subjects = await chooseSubjects(database.superuserConnectionString());
  const all = casesOf(subjects, purposes);
  const client = new Client(system.url, token, concurrency);
  const db = openDatabase({
    connectionString: database.connectionString('app'),
    poolSize: concurrency + 1,
    statementTimeoutMs: 0,
    applicationName: 'calculaud bench',
  });
  const recorder = await openRecorder(stand.system.dataDirectory, database.connectionString('app'));
  const connections = await Promise.all(Array.from({ length: concurrency }, () => db.pool.connect()));
  try {
    const exported = wanted('CSV export') ? await measureExport({ client, pid, db }, repeats) : undefined;
    if (exported) {
      log(`CSV export: ${exported.seconds.toFixed(1)} s, added ${exported.addedMemory.toFixed(0)} MB`);
    }
    const pageStatements = wanted('page statements')
      ? await countPageStatements(client, database.superuserConnectionString())
      : undefined;
    const measurements: Measurement[] = [];
    for (const chosen of all.filter(({ name }) => wanted(name))) {
      const measured = await measure(chosen, { client, pid, recorder, connections }, options);
      measurements.push(measured);
      log(progress(measured));
    }
    const crowd = wanted('64 connections')
      ? await measureCrowd({ url: system.url, token, pid }, withoutBroad(all), requests * 5)
      : undefined;
    return { pageStatements, measurements, export: exported, crowd };
  } finally {
    for (const connection of connections) {
      connection.release();
    }
    await recorder.close();
    await db.close();
    await client.close();
  }
}

function withoutBroad(cases: readonly Case[]): readonly Case[] {
  return cases.filter(({ kind }) => kind !== 'broad');
}

function progress({ name, served, bare, ratio, loadAverage }: Measurement): string {
  return `${name}: ${served.perSecond.toFixed(1)}/s p99 ${served.p99.toFixed(1)} ms, bare ${bare.perSecond.toFixed(1)}/s, ${(ratio * 100).toFixed(0)} %, load ${loadAverage.toFixed(1)}`;
}

function save({ json }: Options, content: unknown): void {
  if (json) {
    writeFileSync(json, `${JSON.stringify(content, null, 2)}\n`);
  }
}

function log(line: string): void {
  console.error(line);
}
