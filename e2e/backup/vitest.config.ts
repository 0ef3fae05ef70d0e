import { defineConfig } from 'vitest/config';

/** They take longer than a run has, or measure what only a quiet machine shows. */
export const ONLY_FULL = ['alarms.test.ts', 'killed.test.ts', 'trouble.test.ts'];

/** Backups and restores on real servers; `npm run e2e:backup -- --full` takes the counts of the bars. */
export default defineConfig({
  test: {
    include: ['e2e/backup/**/*.test.ts'],
    exclude: process.env['CALCULAUD_E2E'] === 'full' ? [] : ONLY_FULL.map((file) => `e2e/backup/${file}`),
    globalSetup: ['packages/testing/src/global-setup.ts'],
    pool: 'forks',
    // Each file waits most of its time, for disks and for servers that start.
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
