import { stdin, stdout } from 'node:process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { startWalReceiver } from '@calculaud/backup/postgres/wal-receiver';

/**
 * A program for tests: receives with the options in the first line of its input, and writes its events as lines of JSON. So a
 * test can kill it.
 */
const options = z.object({ connectionString: z.string(), slot: z.string(), spool: z.string() });

for await (const line of createInterface({ input: stdin })) {
  startWalReceiver({
    ...options.parse(JSON.parse(line)),
    onEvent: (event) => {
      stdout.write(`${JSON.stringify(event)}\n`);
    },
  });
}
