import { readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endAbandonedServer } from '@calculaud/embedded/abandoned';

export const TEST_FOLDER_PREFIX = 'calculaud-test-server-';

/** A run of the tests that was killed leaves its server running; the next run ends it and removes its folder. */
export async function removeAbandonedTestServers(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(TEST_FOLDER_PREFIX)) continue;
    const folder = join(tmpdir(), name);
    // Another run may be removing the same folder.
    if (statSync(folder, { throwIfNoEntry: false })?.uid !== process.getuid?.()) continue;
    if (await endAbandonedServer(folder)) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
