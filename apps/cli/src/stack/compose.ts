/** The part of the compose file format that we write; Docker's own client reads version 3.9 from 20.10 on. */
export interface ComposeFile {
  readonly version: '3.9';
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, ComposeNetwork>>;
  readonly volumes: Readonly<Record<string, Readonly<Record<string, never>>>>;
  readonly secrets: Readonly<Record<string, ExternalObject>>;
  readonly configs: Readonly<Record<string, ExternalObject>>;
}

/** Something that exists already when the stack is deployed. */
interface ExternalObject {
  readonly external: true;
  readonly name: string;
}

export interface ComposeService {
  readonly image: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly user: string;
  readonly working_dir?: string;
  readonly init?: boolean;
  readonly read_only: true;
  readonly cap_drop: readonly ['ALL'];
  /** Of the kernel, for the network of this container alone. */
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
  readonly ports?: readonly ComposePort[];
  readonly secrets?: readonly MountedFile[];
  readonly configs?: readonly MountedFile[];
  readonly volumes: readonly ComposeMount[];
  readonly healthcheck?: ComposeHealthCheck;
  readonly stop_grace_period: string;
  readonly stop_signal?: string;
  readonly logging: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  readonly deploy: ComposeDeploy;
}

export interface ComposePort {
  readonly target: number;
  readonly published: number;
  readonly protocol: 'tcp';
  readonly mode: 'host';
}

export interface MountedFile {
  readonly source: string;
  readonly target: string;
  readonly uid: string;
  readonly gid: string;
  readonly mode: number;
}

export type ComposeMount =
  | { readonly type: 'volume'; readonly source: string; readonly target: string }
  | { readonly type: 'bind'; readonly source: string; readonly target: string; readonly read_only?: true }
  | { readonly type: 'tmpfs'; readonly target: string; readonly tmpfs: { readonly size: number } };

/** Without a test the image's own is used, at these times. */
export interface ComposeHealthCheck {
  readonly test?: readonly string[];
  readonly interval: string;
  readonly timeout: string;
  readonly retries: number;
  readonly start_period: string;
}

interface Amount {
  readonly cpus: string;
  readonly memory: string;
}

export interface ComposeUpdate {
  readonly parallelism: number;
  readonly order: 'start-first' | 'stop-first';
  readonly failure_action: 'rollback' | 'pause';
  readonly monitor: string;
  readonly delay?: string;
}

export interface ComposeDeploy {
  readonly mode?: 'replicated-job';
  readonly replicas: number;
  readonly endpoint_mode?: 'dnsrr';
  readonly update_config?: ComposeUpdate;
  readonly rollback_config?: Omit<ComposeUpdate, 'failure_action'> & { readonly failure_action: 'pause' };
  readonly restart_policy: {
    readonly condition: 'any' | 'on-failure';
    readonly delay: string;
    readonly max_attempts?: number;
  };
  readonly resources: {
    readonly limits: Amount & { readonly pids: number };
    readonly reservations: Amount;
  };
  readonly placement?: { readonly constraints: readonly string[] };
}

export interface ComposeNetwork {
  readonly driver: 'overlay';
  readonly internal?: true;
  readonly attachable?: true;
  readonly driver_opts?: { readonly encrypted: '' };
}
