/** The part of the compose file format (version 3.8) that we write, as Docker's own client reads it from 20.10 on. */
export interface ComposeFile {
  readonly version: '3.8';
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, ComposeNetwork>>;
  readonly volumes: Readonly<Record<string, object>>;
  readonly secrets: Readonly<Record<string, { readonly external: true; readonly name: string }>>;
  readonly configs: Readonly<Record<string, { readonly external: true; readonly name: string }>>;
}

export interface ComposeService {
  readonly image: string;
  readonly deploy: ComposeDeploy;
  readonly [option: string]: unknown;
}

interface ComposeDeploy {
  readonly replicas: number;
  readonly [option: string]: unknown;
}

export interface ComposeNetwork {
  readonly driver: 'overlay';
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly driver_opts?: Readonly<Record<string, string>>;
}
