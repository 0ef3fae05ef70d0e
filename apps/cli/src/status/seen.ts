import type { Drift } from '../deployment/observe.ts';
import type { Traffic } from '../host/gateway-control.ts';
import type { Colour, ReleaseState } from '../stack/release-state.ts';

/** What was found when somebody looked at an environment. As it stands here, programs get it (`status --json`). */
export interface Seen {
  readonly at: string;
  readonly environment: {
    readonly name: string;
    readonly kind: string;
    readonly domain: string;
    readonly stack: string;
  };
  /** As the last finished step of a deployment left it; null before the first one. */
  readonly release: ReleaseState | null;
  /** The replicas that the configuration says. */
  readonly configured: { readonly api: number; readonly worker: number; readonly image: string };
  readonly services: readonly SeenService[];
  readonly gateway: SeenGateway | null;
  readonly database: SeenDatabase;
  readonly drift: readonly Pick<Drift, 'service' | 'words'>[];
  readonly deployment: UnfinishedDeployment | null;
  readonly lock: SeenLock | null;
  readonly ledger: {
    readonly length: number;
    readonly last: SeenEntry | null;
    readonly problems: readonly string[];
  };
  readonly hosts: readonly SeenHost[];
  /** What could not be looked at. */
  readonly unseen: readonly { readonly what: string; readonly why: string }[];
}

export interface SeenService {
  readonly service: string;
  readonly image: string;
  /** How many Swarm was told to run. */
  readonly wanted: number;
  /** Those that are meant to run, whether they do or not. */
  readonly instances: readonly SeenInstance[];
  /** The last container that ended by itself or could not be started, in the last quarter of an hour. */
  readonly ended: { readonly instance: string; readonly at: string; readonly why: string } | null;
  /** Of that container, or of the one that is not healthy; only when the service is not as it should be. */
  readonly last_lines: readonly string[];
}

export interface SeenInstance {
  /** Such as `api-blue.1`. */
  readonly instance: string;
  readonly host: string;
  readonly image: string;
  /** As Swarm has it: running, starting, pending, … */
  readonly state: string;
  readonly since: string;
  /** Why it does not run. */
  readonly problem: string | null;
  /** As Docker's health check has it; null where its host could not be asked. */
  readonly health: 'healthy' | 'unhealthy' | 'starting' | 'none' | null;
  /** What it says itself on /health/ready; null for what is no process of ours, or was not asked. */
  readonly answer: SeenAnswer | null;
  /** It was asked, and did not answer. */
  readonly silent: boolean;
}

export interface SeenAnswer {
  readonly ready: boolean;
  readonly draining: boolean;
  readonly version: string;
  readonly commit: string | null;
  readonly checks: readonly SeenCheck[];
}

export interface SeenCheck {
  /** Such as `postgresql:responseTime`. */
  readonly check: string;
  readonly status: 'pass' | 'warn' | 'fail';
  readonly ms: number | null;
  readonly output: string | null;
}

export interface SeenGateway {
  /** Who answers users, and who would after a restart of the gateway. */
  readonly running: Traffic;
  readonly on_disk: Traffic;
  /** How many servers of each colour it finds ready. */
  readonly ready: Readonly<Record<Colour, number>>;
  /** It runs with another configuration than the one that calculaud.yml stands for now. */
  readonly outdated: boolean;
}

export interface SeenDatabase {
  readonly kind: 'bundled' | 'external';
  /** By pg_isready beside the bundled one; null where it was not asked. */
  readonly accepts: boolean | null;
}

export interface UnfinishedDeployment {
  readonly command: string;
  readonly who: string;
  readonly started_at: string;
  readonly direction: 'apply' | 'undo';
  readonly reason: string | null;
  readonly steps: number;
  readonly done: number;
}

export interface SeenLock {
  readonly who: string;
  readonly command: string;
  readonly since: string;
  /** A sign of life was seen while this was looked at; without one the next command takes over. */
  readonly alive: boolean;
}

export interface SeenEntry {
  readonly n: number;
  readonly command: string;
  readonly outcome: string;
  readonly who: string;
  readonly at: string;
}

export interface SeenHost {
  readonly name: string;
  readonly docker: string;
  /** Why its engine cannot be asked from here; null when it can. */
  readonly away: { readonly why: string; readonly hint: string } | null;
  /** What the managers of the Swarm say of it; null when they do not know it. */
  readonly node: {
    readonly state: string;
    readonly availability: string;
    readonly role: string;
    readonly leader: boolean;
    readonly engine: string;
  } | null;
  readonly disks: readonly SeenDisk[];
}

export interface SeenDisk {
  /** What lies there. */
  readonly holds: readonly string[];
  readonly free_bytes: number;
  readonly size_bytes: number;
}
