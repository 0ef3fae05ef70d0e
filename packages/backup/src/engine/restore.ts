import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { copyFile, type FileHandle, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { EmbeddedPostgresError } from '@calculaud/embedded/failure';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import { diskProblem, isDiskFull } from '../postgres/durable-file.ts';
import { formatLsn, historyName, parseLsn, placeOf, SEGMENT_BYTES } from '../postgres/lsn.ts';
import { systemIdOf, type Walk, walk } from '../postgres/wal-records.ts';
import type { BackupManifest, ClusterFile } from '../repository/manifest.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';
import { type Branch, contiguous, findLog, type Log, segmentOn } from './branch.ts';
import { assertNoGap, describeTarget, findRoutes, positionOf, type Route, type Target } from './target.ts';

export interface RestoreOptions {
  readonly repository: Repository;
  readonly target: Target;
  /** A folder that is not there yet, or empty; it becomes a data folder with the cluster in `postgres`. */
  readonly directory: string;
  /** Log that is still on this machine, and newer than the repository's. */
  readonly spool?: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface RestoreProgress {
  readonly phase: 'files' | 'log' | 'recovery';
  readonly done: number;
  readonly total: number;
}

export interface Restored {
  readonly base: BackupManifest;
  /** In the words of the server: where and why its recovery stopped. */
  readonly reached: string;
  /** The last position that was replayed. */
  readonly lsn: string;
  /** Of the newest transaction in it; null when the log that was replayed holds none. */
  readonly lastCommit: string | null;
  readonly phases: { readonly filesMs: number; readonly logMs: number; readonly recoveryMs: number };
  /** Runs, with no other client than ours, until it is stopped. */
  readonly server: EmbeddedPostgres;
}

/** A cluster has a thousand small ones, which wait for each other's chunks more than for a processor. */
const FILES_AT_ONCE = 16;
const SEGMENTS_AT_ONCE = 4;
/** Of the last segments: a record may begin in the one before the last. */
const LAST_SEGMENTS = 3;
const NOTHING: Walk = { last: undefined, damagedAt: undefined };

/** Builds the cluster as it was at the target, beside everything that runs, and proves that it came that far. */
export async function restoreCluster(options: RestoreOptions): Promise<Restored> {
  const { repository, target, directory } = options;
  if (existsSync(directory) && (await readdir(directory)).length > 0) {
    throw new BackupProblem('impossible', `${directory} is not empty. Name a folder that is not there yet.`);
  }
  const routes = await routesTo(repository, target, options.spool);
  const last = routes.at(-1);
  for (const route of routes) {
    try {
      return await restoreAlong(options, route);
    } catch (error) {
      if (error instanceof NothingLater && (await reachesBeyond(repository, route, error.time))) {
        return restoreAlong({ ...options, target: { kind: 'latest' } }, route);
      }
      if (route === last || !(error instanceof BackupProblem) || error.kind !== 'impossible') throw error;
    }
  }
  throw new Error('no backup was tried');
}

/** What `restoreCluster` tries, one after the other. Rejects with 'impossible' when nothing reaches the target. */
export async function routesTo(
  repository: Repository,
  target: Target,
  spool?: string,
): Promise<readonly [Route, ...Route[]]> {
  const manifests = await readableManifests(repository, target);
  const logs = new Map<string, Log>();
  for (const { systemId } of manifests) {
    if (!logs.has(systemId)) logs.set(systemId, await findLog(repository, systemId, spool));
  }
  return findRoutes(manifests, logs, target);
}

/** The log that is there was received when the time had passed: nothing was committed in between. */
async function reachesBeyond(repository: Repository, { base, branch }: Route, time: Date): Promise<boolean> {
  const segments = await repository.listSegments(base.systemId);
  return segments.some(
    ({ segment, modified }) => placeOf(segment)?.timeline === branch.timeline && modified > time,
  );
}

async function restoreAlong(options: RestoreOptions, route: Route): Promise<Restored> {
  const { target, directory, signal } = options;
  const { base } = route;
  try {
    const cluster = join(directory, 'postgres');
    const begin = performance.now();
    await writeFiles(options, base, cluster);
    const filesDone = performance.now();
    const log = await writeLog(options, route, cluster);
    await writeRecovery(cluster, { target, lastStart: log.lastStart, timeline: route.branch.timeline });
    const logDone = performance.now();
    signal.throwIfAborted();
    const { server, ...stopped } = await recover(options, route, directory);
    const recovered = performance.now();
    return {
      base,
      server,
      ...stopped,
      phases: { filesMs: filesDone - begin, logMs: logDone - filesDone, recoveryMs: recovered - logDone },
    };
  } catch (error) {
    // What is half restored must not be taken for a database.
    await rm(directory, { recursive: true, force: true });
    throw isDiskFull(error) ? diskProblem(directory, error) : error;
  }
}

async function readableManifests(repository: Repository, target: Target): Promise<BackupManifest[]> {
  const all = await repository.listManifests();
  for (const manifest of all) {
    if ('unreadable' in manifest && target.kind === 'backup' && manifest.id === target.id) {
      throw new BackupProblem('corrupt', manifest.unreadable, { object: `backups/${manifest.id}` });
    }
  }
  const readable = all.flatMap((manifest) => ('unreadable' in manifest ? [] : [manifest]));
  const lost = all.find((manifest) => 'unreadable' in manifest);
  if (readable.length === 0 && lost && 'unreadable' in lost) {
    throw new BackupProblem('corrupt', lost.unreadable, { object: `backups/${lost.id}` });
  }
  return readable;
}

async function writeFiles(
  { repository, signal, onProgress }: RestoreOptions,
  base: BackupManifest,
  cluster: string,
): Promise<void> {
  await mkdir(cluster, { recursive: true, mode: 0o700 });
  for (const path of base.directories.toSorted())
    await mkdir(inside(cluster, path), { recursive: true, mode: 0o700 });
  const made = new Set(base.directories.map((path) => inside(cluster, path)));
  let done = 0;
  await eachOf(base.files, FILES_AT_ONCE, async (file) => {
    signal.throwIfAborted();
    await writeClusterFile(repository, file, cluster, made);
    done += file.size;
    onProgress?.({ phase: 'files', done, total: base.bytes.total });
  });
}

/**
 * Not synced one by one, which took a second and more for a thousand files: the server syncs all of its folder before it
 * recovers a cluster that was not shut down (SyncDataDirectory of PostgreSQL), as in no base backup it was.
 */
async function writeClusterFile(
  repository: Repository,
  file: ClusterFile,
  cluster: string,
  made: ReadonlySet<string>,
): Promise<void> {
  const path = inside(cluster, file.path);
  if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const hash = createHash('sha256');
  if (file.chunks.length <= 1) {
    let content: Uint8Array = Buffer.alloc(0);
    for await (const chunk of repository.getContent(file.chunks)) content = chunk;
    hash.update(content);
    // At once: a thousand small ones waited longer for a thread than for the disk.
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
  } else {
    const handle: FileHandle = await open(path, 'wx', 0o600);
    try {
      for await (const chunk of repository.getContent(file.chunks)) {
        hash.update(chunk);
        await handle.write(chunk);
      }
    } finally {
      await handle.close();
    }
  }
  if (hash.digest('hex') !== file.sha256) {
    throw new BackupProblem('corrupt', `The file ${file.path} of the backup is not what it was.`, {
      object: file.path,
    });
  }
}

/** A manifest is signed; even so it never names a place outside of the cluster. */
function inside(cluster: string, path: string): string {
  const full = normalize(join(cluster, path));
  if (full !== cluster && !full.startsWith(`${cluster}/`)) {
    throw new BackupProblem('corrupt', `The backup names a place outside of the database: ${path}.`, {
      object: path,
    });
  }
  return full;
}

/** Puts the log where the server looks for it: fetched, checked and decoded before, it needs no key and no program of ours. */
async function writeLog(
  { repository, target, spool, signal, onProgress }: RestoreOptions,
  route: Route,
  cluster: string,
): Promise<{ readonly lastStart: bigint | undefined }> {
  const { base, branch } = route;
  const { available } = await findLog(repository, base.systemId, spool);
  const { segments, missing } = contiguous(base, branch, available);
  const needed = neededFor(target, route, segments);
  assertCovered(target, route, segments, missing);
  const read = async (segment: string) => readSegment(repository, base.systemId, segment, spool);

  let done = 0;
  const last = new Map<string, FoundSegment>();
  await eachOf(needed, SEGMENTS_AT_ONCE, async (segment) => {
    signal.throwIfAborted();
    const found = await read(segment);
    if (!found) {
      throw new BackupProblem('missing', `The log segment ${segment} is missing in ${repository.address}.`, {
        object: segment,
      });
    }
    const { content } = found;
    const systemId = systemIdOf(content);
    if (systemId !== base.systemId) {
      throw new BackupProblem(
        'foreign',
        `The log segment ${segment} was written by ${systemId === undefined ? 'no PostgreSQL 18' : `the cluster ${systemId}`}, and not by ${base.systemId}.`,
        { object: segment },
      );
    }
    if (content.length < SEGMENT_BYTES && segment !== segments.at(-1)) {
      throw new BackupProblem(
        'missing',
        `Of the log segment ${segment} only ${content.length} bytes are in ${repository.address}, and later ones follow.`,
        { object: segment },
      );
    }
    if (needed.indexOf(segment) >= needed.length - LAST_SEGMENTS) last.set(segment, found);
    const whole = Buffer.alloc(Number(SEGMENT_BYTES));
    content.copy(whole);
    await writeFile(join(cluster, 'pg_wal', segment), whole, { mode: 0o600 });
    done += 1;
    onProgress?.({ phase: 'log', done, total: needed.length });
  });
  await writeHistories(repository, base.systemId, spool, cluster);

  const tail = [...last].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const place = placeOf(tail[0]?.[0] ?? '');
  const contents = tail.map(([, { content }]) => content);
  const { last: record, damagedAt } = place ? walk(contents, place.start) : NOTHING;
  const certain = tail.at(-1)?.[1].certain ?? 0;
  const lastStart = (place?.start ?? 0n) + BigInt(Math.max(tail.length - 1, 0)) * SEGMENT_BYTES;
  if (damagedAt !== undefined && damagedAt < lastStart + BigInt(certain)) {
    const segment = segmentOn(branch, damagedAt);
    throw new BackupProblem(
      'corrupt',
      `The log segment ${segment} is damaged at ${formatLsn(damagedAt)}. Use another repository, or restore to the backup itself (--to ${base.id}).`,
      { object: segment },
    );
  }
  const end = record?.end ?? 0n;
  if (end < parseLsn(base.stopLsn)) {
    throw new BackupProblem(
      'missing',
      `The log of the backup ${base.id} ends at ${formatLsn(end)}; it is needed up to ${base.stopLsn}. The segment ${segmentOn(branch, end)} is incomplete or damaged.`,
      { object: segmentOn(branch, end) },
    );
  }
  assertNoGap(await repository.listGaps(base.systemId), route, end);
  return { lastStart: record?.start };
}

/** Of all timelines, later ones, too: a number that was given once is not given again. */
async function writeHistories(
  repository: Repository,
  systemId: string,
  spool: string | undefined,
  cluster: string,
): Promise<void> {
  const folder = spool === undefined ? undefined : join(spool, systemId);
  for (const name of folder === undefined ? [] : await readdir(folder).catch(() => [])) {
    if (name.endsWith('.history')) await copyFile(join(folder ?? '', name), join(cluster, 'pg_wal', name));
  }
  for (const { timeline } of await repository.listTimelines(systemId)) {
    const history = await repository.getTimelineHistory(systemId, timeline);
    if (history) await writeFile(join(cluster, 'pg_wal', historyName(timeline)), history, { mode: 0o600 });
  }
}

/** All that is there, up to where the target can be told. */
function neededFor(target: Target, { base, branch }: Route, segments: readonly string[]): readonly string[] {
  const upTo = target.kind === 'backup' ? base.stopLsn : positionOf(target);
  if (upTo === undefined) return segments;
  // The record at the position may go on in the next one.
  const last = segments.indexOf(segmentOn(branch, parseLsn(upTo)));
  return last === -1 ? segments : segments.slice(0, last + 2);
}

/** "The latest" is not where a hole begins. */
export function assertCovered(
  target: Target,
  { base, branch }: { readonly base: Pick<BackupManifest, 'id' | 'stopLsn'>; readonly branch: Branch },
  segments: readonly string[],
  missing: string | undefined,
): void {
  const stop = segmentOn(branch, parseLsn(base.stopLsn) - 1n);
  const lost = segments.includes(stop) ? missing : (missing ?? stop);
  if (lost === undefined || (target.kind === 'backup' && segments.includes(stop))) return;
  const lsn = positionOf(target);
  if (lsn !== undefined && segments.includes(segmentOn(branch, parseLsn(lsn)))) return;
  throw new BackupProblem(
    'missing',
    `The log segment ${lost} is missing, and there are later ones: what was committed since then cannot be restored from here. Use another repository, or restore to the backup ${base.id} (--to ${base.id}) or a moment before.`,
    { object: lost },
  );
}

interface FoundSegment {
  readonly content: Buffer;
  /** So many bytes are certainly what the server wrote; behind them may lie what a power failure left. */
  readonly certain: number;
}

/** What this machine has beyond the repository, upon what the repository has. */
async function readSegment(
  repository: Repository,
  systemId: string,
  segment: string,
  spool: string | undefined,
): Promise<FoundSegment | undefined> {
  const path = spool === undefined ? undefined : join(spool, systemId, segment);
  const whole = path === undefined ? undefined : await readFile(path).catch(() => undefined);
  if (whole && BigInt(whole.length) === SEGMENT_BYTES) return { content: whole, certain: whole.length };
  const stored = (await repository.getSegment({ systemId, segment }))?.content;
  const partial = path === undefined ? undefined : await readFile(`${path}.partial`).catch(() => undefined);
  if (!partial || (stored && stored.length >= partial.length)) {
    return stored && { content: stored, certain: stored.length };
  }
  stored?.copy(partial);
  return { content: partial, certain: stored?.length ?? 0 };
}

/** Every restore names its target: without one the server takes a damaged log for its end, and comes up (backup.md, 2.5). */
async function writeRecovery(
  cluster: string,
  {
    target,
    lastStart,
    timeline,
  }: { readonly target: Target; readonly lastStart: bigint | undefined; readonly timeline: number },
): Promise<void> {
  const settings = {
    // Everything is in pg_wal already.
    restore_command: 'false',
    recovery_target_timeline: String(timeline),
    recovery_target_action: 'promote',
    recovery_target_inclusive: 'on',
    ...targetSetting(target, lastStart),
    // Nobody reads it meanwhile, and it need not have as many connections as the server that was backed up.
    hot_standby: 'off',
    archive_mode: 'off',
    primary_conninfo: '',
    primary_slot_name: '',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  const path = join(cluster, 'postgresql.auto.conf');
  const before = await readFile(path, 'utf8').catch(() => '');
  await writeFile(join(cluster, BEFORE), before, { mode: 0o600 });
  await writeFile(path, `${before}${lines.join('')}`, { mode: 0o600 });
  await writeFile(join(cluster, 'recovery.signal'), '', { mode: 0o600 });
}

const BEFORE = 'postgresql.auto.conf.before-recovery';

function targetSetting(target: Target, lastStart: bigint | undefined): Record<string, string> {
  if (target.kind === 'time') {
    return { recovery_target_time: target.time.toISOString().replace('T', ' ').replace('Z', '+00') };
  }
  if (target.kind === 'lsn') return { recovery_target_lsn: target.lsn };
  if (target.kind === 'point') return { recovery_target_name: target.name };
  if (target.kind === 'backup') return { recovery_target: 'immediate' };
  if (lastStart !== undefined) return { recovery_target_lsn: formatLsn(lastStart) };
  throw new BackupProblem('missing', 'The log of the backup holds no complete record.');
}

async function recover({ target, onProgress }: RestoreOptions, route: Route, directory: string) {
  onProgress?.({ phase: 'recovery', done: 0, total: 1 });
  const logFile = join(directory, 'postgres.log');
  let server: EmbeddedPostgres;
  try {
    server = await startEmbeddedPostgres({ dataDirectory: directory });
  } catch (error) {
    throw refusal(error, target, route, await readFile(logFile, 'utf8').catch(() => ''));
  }
  try {
    const log = await readFile(logFile, 'utf8');
    // It only notes that what it synced is not on the disk, and goes on.
    const unsynced = /could not fsync .*/.exec(log)?.[0];
    if (unsynced !== undefined) {
      throw new BackupProblem('unavailable', `The disk did not take what was restored: ${unsynced}.`, {
        object: directory,
      });
    }
    const reached = /recovery stopping .*/.exec(log)?.[0];
    if (reached === undefined) {
      throw new BackupProblem(
        'corrupt',
        `The server came up without having reached ${describeTarget(target)}.`,
      );
    }
    const cluster = join(directory, 'postgres');
    await writeFile(join(cluster, 'postgresql.auto.conf'), await readFile(join(cluster, BEFORE)), {
      mode: 0o600,
    });
    await rm(join(cluster, BEFORE));
    onProgress?.({ phase: 'recovery', done: 1, total: 1 });
    return {
      server,
      reached,
      lsn: /redo done at ([0-9A-F]+\/[0-9A-F]+)/.exec(log)?.[1] ?? route.base.stopLsn,
      lastCommit: /last completed transaction was at log time (.*)/.exec(log)?.[1] ?? null,
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The log ends before the time that was wished for, as far as its commits tell. */
class NothingLater extends BackupProblem {
  readonly time: Date;

  constructor(time: Date, message: string) {
    super('impossible', message);
    this.time = time;
  }
}

function refusal(error: unknown, target: Target, { base, branch }: Route, log: string): unknown {
  if (!(error instanceof EmbeddedPostgresError)) return error;
  if (!log.includes('recovery ended before configured recovery target was reached')) {
    return new BackupProblem('corrupt', `The restored database does not start. ${error.message}`, {
      cause: error,
    });
  }
  const end = /redo done at ([0-9A-F]+\/[0-9A-F]+)/.exec(log)?.[1] ?? base.stopLsn;
  const commit = /last completed transaction was at log time (.*)/.exec(log)?.[1];
  if (target.kind === 'time') {
    return new NothingLater(
      target.time,
      `Nothing was committed after ${describeTarget(target)} in the log that is there: it ends at ${end}${commit ? `, with a commit at ${commit}` : ''}. Restore to the latest moment (--to latest), or to an earlier time.`,
    );
  }
  const segment = segmentOn(branch, parseLsn(end));
  return new BackupProblem(
    target.kind === 'point' ? 'impossible' : 'corrupt',
    `The recovery ended at ${end}, before ${describeTarget(target)}: the log segment ${segment} is damaged, or the target is not in the log.`,
    { object: segment, cause: error },
  );
}

/** Rejects when all have come to rest, so that nobody works any more on what is then removed. */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let failed = false;
  const worker = async () => {
    for (const item of queue) {
      if (failed) return;
      await work(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const results = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
