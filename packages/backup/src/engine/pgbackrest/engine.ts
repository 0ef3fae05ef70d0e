import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { formatLsn, parseLsn, placeOf, segmentAt } from '../../postgres/lsn.ts';
import { systemIdOf, walk } from '../../postgres/wal-records.ts';
import { parseStoreAddress } from '../../repository/open-store.ts';
import { BackupProblem } from '../../repository/problem.ts';
import type { CreateWishes, CreatingEngine, RestoredCluster, RestoreWishes } from '../backup-engine.ts';
import { assertCovered } from '../restore.ts';
import { type Branch, contiguous } from '../branch.ts';
import { chooseBase, type Target } from '../target.ts';
import type { Fault } from '../verify.ts';
import { parseInfo, parseVerification, type PgBackRestBackup, segmentsIn } from './answers.ts';
import { type Account, accountForServer, fileFor, folderFor, pgBackRest } from './program.ts';
import { recover } from './recover.ts';
import {
  archiveCommand,
  configurationOf,
  configurationText,
  type PgBackRestSettings,
  type ServerPlace,
  PROGRAM,
  STANZA,
} from './settings.ts';

/** Of the last segments: a record may begin in the one before the last. */
const LAST_SEGMENTS = 3;

/** Backups by pgBackRest, of a server on this machine; `connectionString` is of a role that may make them. */
export function pgBackRestEngine(
  settings: PgBackRestSettings,
  connectionString: string | undefined,
): CreatingEngine {
  const engine = new Engine(settings);
  return {
    name: 'pgbackrest',
    address: settings.repository,
    create: async (wishes) => engine.create(wishes, connectionString),
    list: async () => engine.list(),
    verify: async ({ id, bytes }, { signal, onProgress }) => {
      const verification = await engine.verify(id, signal);
      onProgress?.(bytes.total);
      return verification;
    },
    restore: async (wishes) => engine.restore(wishes, userIn(connectionString)),
  };
}

class Engine {
  readonly #settings: PgBackRestSettings;
  readonly #account: Account;

  constructor(settings: PgBackRestSettings) {
    this.#settings = settings;
    this.#account = accountForServer();
  }

  async #run(name: string, options: readonly string[], signal?: AbortSignal): Promise<string> {
    const configuration = configurationOf(this.#settings).repository;
    fileFor(this.#account, configuration, configurationText(this.#settings));
    const { program } = this.#settings;
    return pgBackRest({
      program,
      name,
      options,
      configuration,
      account: this.#account,
      ...(signal && { signal }),
    });
  }

  async list(signal?: AbortSignal): Promise<readonly PgBackRestBackup[]> {
    return parseInfo(await this.#run('info', ['--output=json'], signal), this.#settings.repository);
  }

  async create(
    { full, signal }: CreateWishes,
    connectionString: string | undefined,
  ): Promise<PgBackRestBackup> {
    if (connectionString === undefined) {
      throw new BackupProblem(
        'impossible',
        'pgBackRest backs a server of its own up, and not the embedded one: give CALCULAUD_BACKUP_DATABASE_URL.',
      );
    }
    const { folder } = this.#settings;
    const server = await this.#server(connectionString);
    const place = parseStoreAddress(this.#settings.repository);
    for (const path of [folder, ...(place.kind === 'folder' ? [place.path] : [])])
      folderFor(this.#account, path);
    const configuration = configurationOf(this.#settings).server;
    fileFor(this.#account, configuration, configurationText(this.#settings, server));
    const passwords = join(folder, 'passwords');
    fileFor(this.#account, passwords, passwordLine(connectionString));
    const run = async (name: string, options: readonly string[]) =>
      pgBackRest({
        program: this.#settings.program,
        name,
        options,
        configuration,
        account: this.#account,
        signal,
        passwords,
      });
    await this.#assertArchiving(connectionString);
    // It is no error when it is there already.
    await run('stanza-create', []);
    // The first one is a whole one, whatever is asked for.
    await run('backup', [`--type=${full ? 'full' : 'diff'}`]);
    const [newest] = await this.list(signal);
    if (!newest) throw new BackupProblem('missing', 'pgBackRest made a backup, and lists none.');
    if (newest.pageErrors) {
      throw new BackupProblem(
        'corrupt',
        `The server has damaged pages, and so has the backup ${newest.id}. Earlier backups are not affected. See docs/operations/backup.md, "Damaged pages".`,
        { object: newest.id },
      );
    }
    return newest;
  }

  async #server(connectionString: string): Promise<ServerPlace> {
    const [row] = await ask(
      connectionString,
      `select current_setting('data_directory') as "dataDirectory", current_setting('port')::int as port,
        split_part(current_setting('unix_socket_directories'), ',', 1) as "socketDirectory",
        current_user::text as user, current_database()::text as database`,
    );
    const server = serverRow.parse(row);
    if (existsSync(join(server.dataDirectory, 'PG_VERSION'))) return server;
    throw new BackupProblem(
      'impossible',
      `The folder of the server, ${server.dataDirectory}, is not on this machine (or may not be entered). pgBackRest runs where the server does; the native engine needs only a connection.`,
      { object: server.dataDirectory },
    );
  }

  async #assertArchiving(connectionString: string): Promise<void> {
    const [row] = await ask(
      connectionString,
      `select current_setting('archive_mode') as mode, current_setting('archive_command') as command`,
    );
    const { mode, command } = archivingRow.parse(row);
    const wanted = archiveCommand(this.#settings);
    if (mode !== 'off' && command.includes(configurationOf(this.#settings).server)) return;
    throw new BackupProblem(
      'impossible',
      `The server does not archive its log to this repository (archive_mode is ${mode}). Set archive_mode = on and archive_command = '${wanted}', and start it again.`,
      { object: 'archive_command' },
    );
  }

  async verify(id: string, signal: AbortSignal) {
    const backup = (await this.list(signal)).find((one) => one.id === id);
    if (!backup) {
      throw new BackupProblem('missing', `There is no backup ${id} in ${this.#settings.repository}.`, {
        object: id,
      });
    }
    const answer = await this.#run(
      'verify',
      ['--output=text', '--verbose', '--log-level-console=info', '--log-timestamp=n'],
      signal,
    );
    const { files, segments, faults } = parseVerification(answer, id);
    return {
      backup: id,
      files,
      bytes: backup.bytes.total,
      segments,
      attached: 0,
      exports: 0,
      faults: [...faults, ...(await this.#holes(backup, signal))],
    };
  }

  /** Its own verification counts what is there, and misses a segment of which there is nothing (2.45). */
  async #holes(backup: PgBackRestBackup, signal: AbortSignal): Promise<Fault[]> {
    const { segments, missing } = await this.#log(backup, signal);
    const stop = segmentAt(backup.timeline, parseLsn(backup.stopLsn) - 1n);
    const lost = missing ?? (segments.includes(stop) ? undefined : stop);
    return lost === undefined
      ? []
      : [{ object: lost, of: lost, words: 'is missing: the log has a hole there' }];
  }

  async #log({ archive, systemId, timeline, startLsn }: PgBackRestBackup, signal: AbortSignal) {
    const listing = await this.#run(
      'repo-ls',
      ['--output=json', '--recurse', `archive/${STANZA}/${archive}`],
      signal,
    );
    return contiguous({ startLsn }, alone({ systemId, timeline }), segmentsIn(listing));
  }

  async restore(
    { target, directory, signal, onPhase }: RestoreWishes,
    user: string,
  ): Promise<RestoredCluster> {
    if (existsSync(directory) && (await readdir(directory)).length > 0) {
      throw new BackupProblem(
        'impossible',
        `${directory} is not empty. Name a folder that is not there yet.`,
      );
    }
    const base = chooseBase(await this.list(signal), target);
    const { segments, missing } = await this.#log(base, signal);
    assertCovered(target, { base, branch: alone(base) }, segments, missing);
    try {
      const cluster = join(directory, 'postgres');
      folderFor(this.#account, directory);
      folderFor(this.#account, cluster);
      onPhase?.('files');
      await this.#run('restore', [`--pg1-path=${cluster}`, `--set=${base.id}`, '--type=none'], signal);
      onPhase?.('log');
      const lastStart =
        target.kind === 'latest' ? await this.#lastRecord(base, segments, cluster, signal) : undefined;
      const before = await this.#writeRecovery(cluster, target, lastStart);
      onPhase?.('recovery');
      const server = await recover({
        directory,
        version: base.postgresVersion,
        target,
        account: this.#account,
        signal,
      });
      await writeFile(join(cluster, 'postgresql.auto.conf'), before);
      return {
        backup: base.id,
        reached: server.reached,
        lsn: server.lsn ?? base.stopLsn,
        lastCommit: server.lastCommit,
        connectionString: (database) =>
          `postgresql://${encodeURIComponent(user)}@localhost/${encodeURIComponent(database)}?host=${encodeURIComponent(server.socketDirectory)}`,
        stop: async () => server.stop(),
      };
    } catch (error) {
      // What is half restored must not be taken for a database.
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** "The latest" is the last complete record that was archived, which the server then has to reach (see ../restore.ts). */
  async #lastRecord(
    base: PgBackRestBackup,
    segments: readonly string[],
    cluster: string,
    signal: AbortSignal,
  ): Promise<bigint> {
    const folder = await mkdtemp(join(cluster, '..', 'log-'));
    folderFor(this.#account, folder);
    const last = segments.slice(-LAST_SEGMENTS);
    const contents: Buffer[] = [];
    for (const segment of last) {
      const path = join(folder, segment);
      await this.#run('archive-get', [`--pg1-path=${cluster}`, segment, path], signal);
      const content = await readFile(path);
      if (systemIdOf(content) !== base.systemId) {
        throw new BackupProblem(
          'foreign',
          `The log segment ${segment} was not written by the cluster ${base.systemId}.`,
          { object: segment },
        );
      }
      contents.push(content);
    }
    await rm(folder, { recursive: true, force: true });
    const { last: record, damagedAt } = walk(contents, placeOf(last[0] ?? '')?.start ?? 0n);
    if (damagedAt !== undefined) {
      const segment = segmentAt(base.timeline, damagedAt);
      throw new BackupProblem(
        'corrupt',
        `The log segment ${segment} is damaged at ${formatLsn(damagedAt)}. Restore to the backup itself (--to ${base.id}).`,
        { object: segment },
      );
    }
    if (!record) throw new BackupProblem('missing', 'The archived log holds no complete record.');
    return record.start;
  }

  /** What was in the file before comes back, but for the archive: the copy must not write into that of the cluster it was. */
  async #writeRecovery(cluster: string, target: Target, lastStart: bigint | undefined): Promise<string> {
    const path = join(cluster, 'postgresql.auto.conf');
    const before = await readFile(path, 'utf8').catch(() => '');
    const { repository } = configurationOf(this.#settings);
    const settings = {
      restore_command: `${this.#settings.program ?? PROGRAM} --config=${repository} --pg1-path=${cluster} --stanza=${STANZA} archive-get %f "%p"`,
      recovery_target_timeline: 'current',
      recovery_target_action: 'promote',
      recovery_target_inclusive: 'on',
      ...targetSetting(target, lastStart),
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
    await appendFile(path, lines.join(''), { mode: 0o600 });
    fileFor(this.#account, path, await readFile(path, 'utf8'));
    fileFor(this.#account, join(cluster, 'recovery.signal'), '');
    return `${before}archive_mode = 'off'\n`;
  }
}

/** Restores by pgBackRest stay on the timeline of their backup. */
function alone({ systemId, timeline }: Pick<Branch, 'systemId' | 'timeline'>): Branch {
  return { systemId, timeline, steps: [], since: undefined };
}

function targetSetting(target: Target, lastStart: bigint | undefined): Record<string, string> {
  if (target.kind === 'time') {
    return { recovery_target_time: target.time.toISOString().replace('T', ' ').replace('Z', '+00') };
  }
  if (target.kind === 'lsn') return { recovery_target_lsn: target.lsn };
  if (target.kind === 'point') return { recovery_target_name: target.name };
  if (target.kind === 'backup' || lastStart === undefined) return { recovery_target: 'immediate' };
  return { recovery_target_lsn: formatLsn(lastStart) };
}

const serverRow = z.object({
  dataDirectory: z.string(),
  socketDirectory: z.string(),
  port: z.int(),
  user: z.string(),
  database: z.string(),
});
const archivingRow = z.object({ mode: z.string(), command: z.string() });

async function ask(connectionString: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({
    connectionString,
    application_name: 'calculaud backup',
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows;
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new BackupProblem('unavailable', `The database cannot be reached for a backup: ${words}.`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** For whatever address it connects to: there is one server. */
function passwordLine(connectionString: string): string {
  const password = decodeURIComponent(new URL(connectionString).password);
  return password === '' ? '' : `*:*:*:*:${password.replaceAll(/[\\:]/g, String.raw`\$&`)}\n`;
}

function userIn(connectionString: string | undefined): string {
  return (connectionString && decodeURIComponent(new URL(connectionString).username)) || 'postgres';
}
