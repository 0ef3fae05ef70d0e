import type { EnvironmentConfig } from '../environment/schema.ts';
import type { ComposeFile } from './compose.ts';
import type { ReleaseState } from './release-state.ts';

/** A file that Swarm mounts into containers. Named by its content: another content is another config. */
export interface StackConfig {
  /** Of the Docker config. */
  readonly name: string;
  readonly content: string;
}

/** Everything that `docker stack deploy` needs; the configs are created before it (they are external in the file). */
export interface StackDocument {
  readonly name: string;
  readonly file: ComposeFile;
  readonly configs: readonly StackConfig[];
}

/** The same configuration and state always give the same stack. */
export function renderStack(_config: EnvironmentConfig, _state: ReleaseState): StackDocument {
  throw new Error('not there yet');
}
