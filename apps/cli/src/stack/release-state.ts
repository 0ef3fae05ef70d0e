export const COLOURS = ['blue', 'green'] as const;
export type Colour = (typeof COLOURS)[number];

/** The API servers of one colour. */
export interface Release {
  readonly image: string;
  /** 0 keeps the service without any container. */
  readonly replicas: number;
}

/**
 * What runs where: the part of a stack that deployments change, one value after the other. What people configure is the
 * EnvironmentConfig; the two together make the stack.
 */
export interface ReleaseState {
  /** The colour that answers users. The gateway is told at run time; here it only says what a newcomer would find. */
  readonly active: Colour;
  readonly blue: Release | null;
  readonly green: Release | null;
  /** How many there are is what the configuration says, unless it was scaled since. */
  readonly worker: { readonly image: string; readonly replicas?: number } | null;
  /** A step that migrates, within the stack. null where migrations are run as jobs of their own, as deployments do. */
  readonly migration: { readonly image: string } | null;
  /**
   * What the container of the gateway was made of. A changed haproxy.cfg is handed to it by a reload, so it goes on naming
   * the configuration with which it was started: another name would restart it. null: what the configuration says now.
   */
  readonly gateway: { readonly image: string; readonly config: string } | null;
  /** Secrets never change; a rotated one is a new secret with the next number. Those that are not named are at 1. */
  readonly secrets: Readonly<Partial<Record<string, number>>>;
}

/** Before the first deployment: the database and the gateway, and nobody behind it. */
export const NOTHING_RELEASED: ReleaseState = {
  active: 'blue',
  blue: null,
  green: null,
  worker: null,
  migration: null,
  gateway: null,
  secrets: {},
};

export function otherColour(colour: Colour): Colour {
  return colour === 'blue' ? 'green' : 'blue';
}
