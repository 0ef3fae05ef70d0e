import { loadConfig } from '@calculaud/config/load';
import { runUntilSignal } from './process.ts';
import { serve } from './serve.ts';
import { StartError } from './start-refusal.ts';

/** The API alone, for a database and workers that run elsewhere. */
await runUntilSignal(async () => {
  const config = loadConfig();
  if (!config.database.url) {
    throw new StartError('DATABASE_URL is not set. `npm start` runs with a database of its own.');
  }
  return serve(config, config.database.url);
});
