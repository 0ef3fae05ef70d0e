import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { copyAttached, type OpenObject } from '../attached/copy.ts';
import { createBackup } from '../engine/create.ts';
import { type Shipping, startShipping } from '../engine/ship.ts';
import { startWalReceiver, type WalEvent, type WalReceiver } from '../postgres/wal-receiver.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import type { OpenedRepository } from '../repository/open-repository.ts';
import { type BackupSettings, isKitWaiting, kitFile, openRepositories } from './repositories.ts';
import { type RepositoryStatus, writeStatus } from './status.ts';

export interface BackupServiceOptions {
  readonly settings: BackupSettings;
  /** Of the role for backups, directly to the server. */
  readonly connectionString: string;
  /** Opens what users attached. */
  readonly open: OpenObject;
  readonly say: (message: string) => void;
}

/** The log is kept for us by the server under this name; two services of one server would take it from each other. */
export const SLOT = 'calculaud_wal';
const TURN_MS = 10_000;
const STATUS_EVERY_MS = 2000;
const BASE_EVERY_MS = 24 * 3_600_000;
const BASE_LIMIT_MS = 6 * 3_600_000;
const ATTACHED_EVERY_MS = 60_000;
/** A repository that could not be used is tried again, and a backup that failed. */
const RETRY_MS = 60_000;

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

type Newest = Pick<BackupManifest, 'finishedAt' | 'systemId' | 'timeline'>;

/** What is known of one repository that can be used. */
interface Keeper {
  readonly repository: OpenedRepository;
  readonly known: Set<string>;
  /** The newest backup that can be read. */
  newest: Newest | undefined;
  /** Why one is due before its time. */
  baseWanted: BackupManifest['reason'] | undefined;
  triedAt: number;
  attachedUntil: Date | undefined;
  attachedAt: number;
  faults: readonly string[];
  trouble: string | null;
}

class Service {
  readonly #options: BackupServiceOptions;
  readonly #ended = new AbortController();
  #keepers: Keeper[] = [];
  #unusable: readonly { readonly address: string; readonly problem: Error }[] = [];
  #receiver: WalReceiver | undefined;
  #shipping: Shipping | undefined;
  #trouble: string | null = null;

  constructor(options: BackupServiceOptions) {
    this.#options = options;
  }

  end(): void {
    this.#ended.abort();
  }

  async run(): Promise<void> {
    const status = setInterval(() => void this.#writeStatus(), STATUS_EVERY_MS);
    const { signal } = this.#ended;
    let openedAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      try {
        const retry = this.#unusable.length > 0 && performance.now() - openedAt > RETRY_MS;
        if (!this.#shipping || retry) {
          openedAt = performance.now();
          await this.#open();
        }
        for (const keeper of this.#keepers) await this.#turn(keeper);
      } catch (error) {
        if (signal.aborted) break;
        this.#tell(error);
      }
      await pause(TURN_MS, undefined, { signal }).catch(() => undefined);
    }
    clearInterval(status);
    await this.#receiver?.stop();
    await this.#shipping?.stop();
    await Promise.all(this.#keepers.map(async ({ repository }) => repository.close()));
    await this.#writeStatus();
  }

  async #open(): Promise<void> {
    const { settings, connectionString, say } = this.#options;
    const { repositories, unusable } = await openRepositories(settings);
    for (const { problem } of unusable) this.#tell(problem);
    const before = new Set(this.#keepers.map(({ repository }) => repository.address));
    const fresh = repositories.filter(({ address }) => !before.has(address));
    // Those that are in use already were opened a second time.
    for (const repository of repositories) if (before.has(repository.address)) await repository.close();
    this.#unusable = unusable;
    if (this.#shipping && fresh.length === 0) return;
    for (const repository of fresh) {
      this.#keepers.push({
        repository,
        known: new Set(),
        newest: (await repository.listManifests()).find(
          (one): one is BackupManifest => !('unreadable' in one),
        ),
        baseWanted: undefined,
        triedAt: Number.NEGATIVE_INFINITY,
        attachedUntil: undefined,
        attachedAt: Number.NEGATIVE_INFINITY,
        faults: [],
        trouble: null,
      });
    }
    await this.#shipping?.stop();
    const spool = spoolOf(settings);
    this.#shipping = startShipping({
      spool,
      repositories: this.#keepers.map(({ repository }) => repository),
      onEvent: (event) => {
        const keeper = this.#keepers.find(({ repository }) => repository.address === event.address);
        if (keeper) keeper.trouble = event.kind === 'trouble' ? event.reason : null;
        say(
          event.kind === 'trouble'
            ? `Backup: ${event.reason}`
            : `Backup: ${event.address} can be used again.`,
        );
      },
    });
    this.#receiver ??= startWalReceiver({
      connectionString,
      slot: SLOT,
      spool,
      onEvent: (event) => void this.#heard(event),
    });
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

  async #heard(event: WalEvent): Promise<void> {
    switch (event.kind) {
      case 'connected':
        this.#trouble = null;
        break;
      case 'disconnected':
        if (this.#trouble === null && !this.#ended.signal.aborted) {
          this.#options.say(`Backup: the log of the database is not received: ${event.reason}`);
        }
        this.#trouble = event.reason;
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
        this.#wantBase();
        for (const keeper of this.#keepers) {
          await keeper.repository.putGap(gap).catch((error: unknown) => this.#tell(error));
        }
        break;
      }
    }
  }

  #wantBase(): void {
    for (const keeper of this.#keepers) keeper.baseWanted = 'after-gap';
  }

  /** What is due for one repository. */
  async #turn(keeper: Keeper): Promise<void> {
    const now = performance.now();
    if (now - keeper.attachedAt > ATTACHED_EVERY_MS) {
      keeper.attachedAt = now;
      await this.#copyAttached(keeper).catch((error: unknown) => this.#tell(error, keeper));
    }
    const reason = this.#dueFor(keeper);
    if (reason === undefined || now - keeper.triedAt < RETRY_MS) return;
    keeper.triedAt = now;
    try {
      const manifest = await this.#backUp(keeper, reason);
      keeper.newest = manifest;
      keeper.baseWanted = undefined;
      keeper.trouble = null;
      this.#options.say(`Backup: ${manifest.id} is complete in ${keeper.repository.address}.`);
    } catch (error) {
      if (!this.#ended.signal.aborted) this.#tell(error, keeper);
    }
  }

  /** Why a base backup is due now; undefined when none is. */
  #dueFor({ newest, baseWanted }: Keeper): BackupManifest['reason'] | undefined {
    if (baseWanted !== undefined) return baseWanted;
    if (!newest) return 'scheduled';
    const { connected, systemId, timeline } = this.#receiver?.position() ?? { connected: false };
    // A server that was restored goes on beside its past, and another one has its own: only a backup of it reaches it.
    if (connected && (systemId !== newest.systemId || timeline !== newest.timeline)) return 'after-gap';
    const age = Date.now() - new Date(newest.finishedAt).getTime();
    // A clock that went back makes no backup too new for ever.
    return age > BASE_EVERY_MS || age < 0 ? 'scheduled' : undefined;
  }

  async #backUp(keeper: Keeper, reason: BackupManifest['reason']): Promise<BackupManifest> {
    const { settings, connectionString } = this.#options;
    const { repository } = keeper;
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(BASE_LIMIT_MS)]);
    return createBackup({
      repository,
      connectionString,
      reason,
      appVersion: settings.appVersion,
      waitForWal: async (systemId, lsn) => this.#shipping?.waitFor(repository.address, systemId, lsn, signal),
      copyAttached: async () => {
        await this.#copyAttached(keeper);
        return { until: keeper.attachedUntil ?? new Date(0), objects: keeper.known.size, bytes: 0 };
      },
      signal,
    });
  }

  async #copyAttached(keeper: Keeper): Promise<void> {
    const { connectionString, open } = this.#options;
    const { repository, known } = keeper;
    const { until, faults } = await copyAttached({
      repository,
      connectionString,
      open,
      signal: this.#ended.signal,
      known,
    });
    keeper.attachedUntil = until;
    keeper.faults = faults.map(({ filename, key, words }) => `${filename} (${key}) ${words}`);
  }

  #tell(error: unknown, keeper?: Keeper): void {
    const words = error instanceof Error ? error.message : String(error);
    if (keeper) {
      if (keeper.trouble === words) return;
      keeper.trouble = words;
    }
    this.#options.say(`Backup: ${words}`);
  }

  async #writeStatus(): Promise<void> {
    const { settings } = this.#options;
    const position = this.#receiver?.position();
    const usable = this.#keepers.map((keeper): RepositoryStatus => {
      const { address } = keeper.repository;
      const shipped = this.#shipping?.position(address);
      return {
        address,
        trouble: keeper.trouble,
        lsn: shipped?.lsn ?? null,
        shippedAt: shipped?.at.toISOString() ?? null,
        lastBackupAt: keeper.newest?.finishedAt ?? null,
        attachedUntil: keeper.attachedUntil?.toISOString() ?? null,
        faults: [...keeper.faults],
      };
    });
    const unusable = this.#unusable.map(({ address, problem }): RepositoryStatus => {
      return {
        address,
        trouble: problem.message,
        lsn: null,
        shippedAt: null,
        lastBackupAt: null,
        attachedUntil: null,
        faults: [],
      };
    });
    await writeStatus(settings.workFolder, {
      at: new Date().toISOString(),
      receiving: position?.connected ?? false,
      systemId: position?.systemId ?? null,
      receivedLsn: position?.flushedLsn ?? null,
      serverLsn: position?.serverLsn ?? null,
      trouble: this.#trouble,
      kitWaiting: isKitWaiting(settings),
      repositories: [...usable, ...unusable],
    }).catch(() => undefined);
  }
}
