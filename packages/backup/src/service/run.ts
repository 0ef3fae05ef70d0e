import { withClient } from '../postgres/client.ts';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { OpenObject } from '../attached/copy.ts';
import type { TryApplication } from '../drill/drill.ts';
import { type Shipping, type ShippingEvent, startShipping } from '../engine/ship.ts';
import { parseLsn } from '../postgres/lsn.ts';
import { startWalReceiver, type WalEvent, type WalReceiver } from '../postgres/wal-receiver.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import type { OpenedRepository } from '../repository/open-repository.ts';
import { BackupProblem } from '../repository/problem.ts';
import { TASKS } from '../schedule/last-runs.ts';
import { type Schedule, type ScheduleEvent, startSchedule } from '../schedule/schedule.ts';
import { startDeadMansSwitch } from './dead-mans-switch.ts';
import { Keeper } from './keeper.ts';
import { type BackupSettings, isKitWaiting, kitFile, openRepositories } from './repositories.ts';
import {
  agesIn,
  alertsIn,
  readStatus,
  type RepositoryStatus,
  type ServiceStatus,
  writeStatus,
} from './status.ts';
import { tasksOf } from './tasks.ts';

export interface BackupServiceOptions {
  readonly settings: BackupSettings;
  /** Of the role for backups, directly to the server. */
  readonly connectionString: string;
  /** Opens what users attached. */
  readonly open: OpenObject;
  /** What a drill does with the application on the restored database. */
  readonly application: TryApplication;
  readonly say: (message: string) => void;
}

/** The log is kept for us by the server under this name; two services of one server would take it from each other. */
export const SLOT = 'calculaud_wal';
const TURN_MS = 10_000;
const STATUS_EVERY_MS = 2000;
const FILES_EVERY_MS = 60_000;
/** Others write to the repositories, too. */
const LOOK_EVERY_MS = 30_000;
/** A repository that could not be used is tried again, and a backup that failed. */
const RETRY_MS = 60_000;
/** A backup of a clock that ran ahead is newer than every verification, for as long as it ran ahead. */
const LOOK_AGAIN_MS = 600_000;

export function spoolOf({ workFolder }: Pick<BackupSettings, 'workFolder'>): string {
  return join(workFolder, 'wal');
}

/** Receives, ships and backs up until it is stopped. What fails is told, and tried again for ever. */
export function startBackupService(options: BackupServiceOptions): { stop(): Promise<void> } {
  const service = new Service(options);
  const running = service.run();
  return {
    stop: async () => {
      service.end();
      await running;
    },
  };
}

class Service {
  readonly #options: BackupServiceOptions;
  readonly #startedAt = new Date();
  readonly #ended = new AbortController();
  #before: ServiceStatus | undefined;
  #keepers: Keeper[] = [];
  #unusable: readonly { readonly address: string; readonly problem: Error }[] = [];
  #openedAt = Number.NEGATIVE_INFINITY;
  /** When what was damaged was verified once more, by a clock that nobody sets. */
  #lookedAgainAt = Number.NEGATIVE_INFINITY;
  /** Those who want to know when the log is received, or why it is not. */
  #waiting: (() => void)[] = [];
  readonly #foreignTold = new Set<string>();
  /** Repositories of which it was told that they will have a gap. */
  #gapTold = '';
  #receiver: WalReceiver | undefined;
  #shipping: Shipping | undefined;
  #schedule: Schedule | undefined;
  #slotSafeBytes: number | undefined;
  #trouble: string | null = null;

  constructor(options: BackupServiceOptions) {
    this.#options = options;
  }

  end(): void {
    this.#ended.abort();
  }

  async run(): Promise<void> {
    const { settings, say } = this.#options;
    this.#before = await readStatus(settings.workFolder);
    const status = setInterval(() => void this.#writeStatus(), STATUS_EVERY_MS);
    const deadMansSwitch =
      settings.pingUrl === undefined
        ? undefined
        : startDeadMansSwitch({ url: settings.pingUrl, isWell: () => this.#isWell(), say });
    await Promise.all([
      this.#every(TURN_MS, async () => this.#turn()),
      this.#every(FILES_EVERY_MS, async () => this.#copyFiles()),
      this.#every(LOOK_EVERY_MS, async () => this.#look()),
    ]);
    clearInterval(status);
    await deadMansSwitch?.stop();
    await this.#schedule?.stop();
    await this.#receiver?.stop();
    await this.#shipping?.stop();
    await Promise.all(this.#keepers.map(async ({ repository }) => repository.close()));
    await this.#writeStatus();
  }

  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await work().catch((error: unknown) => {
        if (!signal.aborted) this.#tell(error);
      });
      await pause(ms, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Opens what could not be opened before, and begins what cannot wait for its time. */
  async #turn(): Promise<void> {
    const now = performance.now();
    if (!this.#shipping || (this.#unusable.length > 0 && now - this.#openedAt > RETRY_MS)) {
      this.#openedAt = now;
      await this.#open();
    }
    const wanting = this.#keepers.some(
      (keeper) => this.#baseDue(keeper) !== undefined && now - keeper.baseTriedAt > RETRY_MS,
    );
    // What these fail of is told by the schedule.
    if (wanting && this.#receiver?.position().connected)
      void this.#schedule?.runNow('base').catch(() => undefined);
    const mended = this.#keepers.some((keeper) => keeper.mayBeMended);
    if (mended && now - this.#lookedAgainAt > LOOK_AGAIN_MS) {
      this.#lookedAgainAt = now;
      void this.#schedule?.runNow('verification').catch(() => undefined);
    }
  }

  async #open(): Promise<void> {
    const { settings, connectionString, say } = this.#options;
    const { repositories, unusable } = await openRepositories(settings);
    for (const { address, problem } of unusable) {
      const told = this.#unusable.find((each) => each.address === address)?.problem.message;
      if (told !== problem.message) this.#tell(problem);
    }
    const before = new Set(this.#keepers.map(({ address }) => address));
    const fresh: Keeper[] = [];
    const failed: { readonly address: string; readonly problem: Error }[] = [];
    for (const repository of repositories) {
      const keeper = before.has(repository.address) ? undefined : await this.#keep(repository, failed);
      // Those that are in use already were opened a second time.
      if (keeper) fresh.push(keeper);
      else await repository.close();
    }
    // One that is in use already and could not be opened a second time tells its trouble itself.
    this.#unusable = [...unusable, ...failed].filter(({ address }) => !before.has(address));
    this.#keepers.push(...fresh);
    const spool = spoolOf(settings);
    if (this.#shipping) for (const { repository } of fresh) this.#shipping.add(repository);
    this.#shipping ??= startShipping({
      spool,
      repositories: fresh.map(({ repository }) => repository),
      absent: () => this.#unusable.map(({ address }) => address),
      limitBytes: settings.spoolLimitBytes,
      onEvent: (event) => void this.#shipped(event),
    });
    this.#receiver ??= startWalReceiver({
      connectionString,
      slot: SLOT,
      spool,
      synchronous: settings.synchronous,
      makeRoom: async () => this.#shipping?.makeRoom(),
      onEvent: (event) => void this.#heard(event),
    });
    this.#schedule ??= await this.#startSchedule();
    if (fresh.length === 0) return;
    for (const { address } of fresh) say(`Backup: the database is backed up to ${address} all the time.`);
    if (isKitWaiting(settings)) {
      say(
        `Backup: print ${kitFile(settings)} and keep it elsewhere, then type: npx calculaud recovery-kit confirm`,
      );
    }
    if (settings.repositories.length === 1) {
      say('Backup: there is one repository. Add one on another machine: CALCULAUD_BACKUP_REPOSITORIES.');
    }
  }

  async #keep(
    repository: OpenedRepository,
    failed: { readonly address: string; readonly problem: Error }[],
  ): Promise<Keeper | undefined> {
    const { address } = repository;
    const keeper = new Keeper(repository, agesIn(this.#before, address));
    keeper.systemId = this.#receiver?.position().systemId;
    try {
      await keeper.refresh();
      return keeper;
    } catch (error) {
      this.#tell(error);
      failed.push({ address, problem: error instanceof Error ? error : new Error(String(error)) });
      return undefined;
    }
  }

  async #startSchedule(): Promise<Schedule> {
    const { settings, connectionString, open, application, say } = this.#options;
    return startSchedule({
      path: join(settings.workFolder, 'last-runs.json'),
      // Of this installation alone.
      seed: this.#keepers[0]?.repository.id ?? '',
      work: tasksOf({
        settings,
        connectionString,
        open,
        application,
        policy: settings.retention,
        keepers: () => this.#keepers,
        baseDue: (keeper) => this.#baseDue(keeper),
        wantExport: () => void this.#schedule?.runNow('export').catch(() => undefined),
        untilReceiving: async (signal) => this.#untilReceiving(signal),
        waitForWal: async (keeper, systemId, lsn, signal) =>
          this.#shipping?.waitFor(keeper.address, systemId, lsn, signal),
        say,
      }),
      onEvent: (event) => this.#scheduled(event),
    });
  }

  /** Which database it is tells which backups are of it. */
  async #know(systemId: string | undefined): Promise<void> {
    for (const keeper of this.#keepers) {
      if (keeper.systemId === systemId) continue;
      keeper.systemId = systemId;
      await keeper.refresh().catch((error: unknown) => this.#tell(error, keeper));
    }
  }

  #scheduled(event: ScheduleEvent): void {
    const { say } = this.#options;
    if (event.kind === 'trouble') say(`Backup: ${event.words}`);
    if (event.kind === 'failed') say(`Backup: ${event.task} failed. ${event.words} It is tried again.`);
  }

  /** A base backup without the log of its time starts nothing, and costs the server as much as any. */
  async #untilReceiving(signal: AbortSignal): Promise<void> {
    while (!this.#receiver?.position().connected) {
      signal.throwIfAborted();
      if (this.#trouble !== null) {
        throw new BackupProblem(
          'unavailable',
          `The log of the database is not received, and a backup without it is of no use: ${this.#trouble}`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  async #shipped(event: ShippingEvent): Promise<void> {
    const { say } = this.#options;
    if (event.kind === 'dropped') {
      const { segments, addresses } = event;
      if (this.#gapTold === addresses.join()) return;
      this.#gapTold = addresses.join();
      say(
        `Backup: too much of the log waits on this machine for ${addresses.join(' and ')}. From ${segments[0]} on it goes, because another repository has it; there will be a gap, and a new base backup.`,
      );
      return;
    }
    const keeper = this.#keepers.find(({ address }) => address === event.address);
    if (event.kind === 'gap') {
      const { fromLsn, toLsn, reason } = event.gap;
      this.#gapTold = '';
      say(
        `Backup: ${event.address} lacks the log from ${fromLsn} to ${toLsn}: ${reason}. A new base backup is made there now.`,
      );
      if (keeper) keeper.baseWanted = 'after-gap';
      await keeper?.refresh().catch((error: unknown) => this.#tell(error, keeper));
      return;
    }
    if (keeper) keeper.trouble = event.kind === 'trouble' ? event.reason : null;
    say(event.kind === 'trouble' ? `Backup: ${event.reason}` : `Backup: ${event.address} can be used again.`);
  }

  async #heard(event: WalEvent): Promise<void> {
    switch (event.kind) {
      case 'connected':
        this.#trouble = null;
        for (const resolve of this.#waiting.splice(0)) resolve();
        await this.#know(this.#receiver?.position().systemId);
        break;
      case 'disconnected':
        if (this.#trouble === null && !this.#ended.signal.aborted) {
          this.#options.say(`Backup: the log of the database is not received: ${event.reason}`);
        }
        this.#trouble = event.reason;
        for (const resolve of this.#waiting.splice(0)) resolve();
        break;
      case 'segment':
      case 'history':
        this.#shipping?.wake();
        break;
      case 'gap': {
        const { gap } = event;
        this.#options.say(
          `Backup: the log from ${gap.fromLsn} to ${gap.toLsn} is lost to backups (${gap.reason}). A new base backup is made now.`,
        );
        for (const keeper of this.#keepers) {
          keeper.baseWanted = 'after-gap';
          await keeper.repository.putGap(gap).catch((error: unknown) => this.#tell(error));
        }
        break;
      }
    }
  }

  /** Why a base backup is needed before its time; undefined when it can wait. */
  #baseDue(keeper: Keeper): BackupManifest['reason'] | undefined {
    const { newest, baseWanted } = keeper;
    if (baseWanted !== undefined) return baseWanted;
    if (!newest) return 'scheduled';
    // Also one that was noted before this process began.
    if (keeper.known.gapsSinceBase > 0) return 'after-gap';
    if (keeper.wantsMending) return 'after-damage';
    const { connected, systemId, timeline } = this.#receiver?.position() ?? { connected: false };
    // A server that was restored goes on beside its past, and another one has its own: only a backup of it reaches it.
    const elsewhere = connected && (systemId !== newest.systemId || timeline !== newest.timeline);
    return elsewhere ? 'after-gap' : undefined;
  }

  async #copyFiles(): Promise<void> {
    const { connectionString, open } = this.#options;
    const { signal } = this.#ended;
    for (const keeper of this.#keepers) {
      try {
        await keeper.copyAttached({ connectionString, open, signal });
      } catch (error) {
        // Somebody else is at work there, and files are copied in a minute again.
        const busy = error instanceof BackupProblem && error.kind === 'busy';
        if (!signal.aborted && !busy) this.#tell(error, keeper);
      }
    }
  }

  async #look(): Promise<void> {
    for (const keeper of this.#keepers) {
      await keeper.refreshWhenChanged().catch((error: unknown) => this.#tell(error, keeper));
      const { foreign, address } = keeper;
      // An older one may be the past of this one, before an import.
      if (!foreign || new Date(foreign.finishedAt) < this.#startedAt || this.#foreignTold.has(address))
        continue;
      this.#foreignTold.add(address);
      this.#options.say(
        `Backup: another database is backed up to ${address}, too (${foreign.systemId}, ${foreign.id} at ${foreign.finishedAt}). "The latest" of a restore is the newest of all: give each database a repository of its own.`,
      );
    }
    this.#slotSafeBytes = await slotSafeBytes(this.#options.connectionString).catch(() => undefined);
  }

  #tell(error: unknown, keeper?: Keeper): void {
    const words = error instanceof Error ? error.message : String(error);
    if (keeper) {
      if (keeper.trouble === words) return;
      keeper.trouble = words;
    }
    this.#options.say(`Backup: ${words}`);
  }

  #isWell(): boolean {
    const alerts = alertsIn(this.#status(), new Date());
    return !alerts.some(({ severity }) => severity === 'critical');
  }

  async #writeStatus(): Promise<void> {
    const position = this.#receiver?.position();
    for (const { address, logAge } of this.#keepers) {
      const { connected, lastMessageAt, systemId, serverLsn } = position ?? { connected: false };
      if (connected && lastMessageAt && systemId && serverLsn)
        logAge.written(lastMessageAt, systemId, serverLsn);
      const shipped = this.#shipping?.position(address);
      if (shipped) logAge.shipped(shipped.systemId, shipped.lsn);
    }
    await writeStatus(this.#options.settings.workFolder, this.#status()).catch(() => undefined);
  }

  #spool(address: string): Pick<RepositoryStatus, 'spoolBytes' | 'spoolLimitBytes'> {
    return {
      spoolBytes: this.#shipping?.waiting(address),
      spoolLimitBytes: this.#options.settings.spoolLimitBytes,
    };
  }

  #status(): ServiceStatus {
    const { settings } = this.#options;
    const position = this.#receiver?.position();
    const usable = this.#keepers.map((keeper): RepositoryStatus => {
      const shipped = this.#shipping?.position(keeper.address);
      const isSame = shipped && shipped.systemId === position?.systemId;
      return {
        address: keeper.address,
        trouble: keeper.trouble,
        lsn: shipped?.lsn ?? null,
        shippedAt: shipped?.at.toISOString() ?? null,
        attachedUntil: keeper.attachedUntil?.toISOString() ?? null,
        faults: [...keeper.faults],
        watchedSince: keeper.watchedSince,
        ...keeper.known,
        corrupt: [...keeper.known.corrupt],
        logComplete: keeper.logAge.complete,
        logLagBytes: isSame && position?.serverLsn ? behind(position.serverLsn, shipped.lsn) : undefined,
        slotSafeBytes: this.#slotSafeBytes,
        filesNotCopied: keeper.filesNotCopied,
        freeBytes: keeper.freeBytes,
        ...this.#spool(keeper.address),
      };
    });
    const unusable = this.#unusable.map(({ address, problem }): RepositoryStatus => {
      const before = this.#before?.repositories.find((each) => each.address === address);
      return {
        lsn: null,
        shippedAt: null,
        attachedUntil: null,
        faults: [],
        watchedSince: this.#startedAt,
        gapsSinceBase: 0,
        corrupt: [],
        ...before,
        address,
        trouble: problem.message,
        ...this.#spool(address),
      };
    });
    const runs = this.#schedule?.lastRuns();
    return {
      format: 2,
      at: new Date().toISOString(),
      startedAt: this.#startedAt.toISOString(),
      receiving: position?.connected ?? false,
      systemId: position?.systemId ?? null,
      receivedLsn: position?.flushedLsn ?? null,
      serverLsn: position?.serverLsn ?? null,
      trouble: this.#trouble,
      kitWaiting: isKitWaiting(settings),
      tasks: TASKS.map((task) => {
        const run = runs?.get(task);
        return {
          task,
          running: run?.runningSince != null,
          succeededAt: run?.succeeded?.endedAt ?? null,
          failures: run?.failures ?? 0,
          nextAt: this.#schedule?.nextAt(task)?.toISOString() ?? null,
        };
      }),
      repositories: [...usable, ...unusable],
    };
  }
}

function behind(serverLsn: string, shippedLsn: string): number {
  const bytes = parseLsn(serverLsn) - parseLsn(shippedLsn);
  return bytes > 0n ? Number(bytes) : 0;
}

const slotRow = z.object({ safe: z.coerce.number().nullable() });

/** How much log the server writes until it gives the slot up; undefined when it never does. */
async function slotSafeBytes(connectionString: string): Promise<number | undefined> {
  return withClient(connectionString, 'calculaud backup', async (client) => {
    const { rows } = await client.query(
      '/* backup.slot */ select safe_wal_size as safe from pg_replication_slots where slot_name = $1',
      [SLOT],
    );
    return rows.length === 0 ? undefined : (slotRow.parse(rows[0]).safe ?? undefined);
  });
}
