import { defineConfig } from 'vitest/config';

/** Backups and restores on real servers; `npm run e2e:backup -- --full` takes the counts of the bars. */
export default defineConfig({
  test: {
    include: ['e2e/backup/**/*.test.ts'],
    globalSetup: ['packages/testing/src/global-setup.ts'],
    pool: 'forks',
    // Each file waits most of its time, for disks and for servers that start.
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
