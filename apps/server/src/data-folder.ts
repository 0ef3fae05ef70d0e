import type { Config } from '@calculaud/config/config';
import { makeDataFolder } from '@calculaud/embedded/folder';

/** Refuses a data folder that cannot be worked in, where files or the secret that signs links are kept in it. */
export function prepareDataFolder({ data, files }: Config): void {
  if (files.store.kind === 'local' || files.signingSecret === undefined)
    makeDataFolder(data.directory, 0o700);
}
