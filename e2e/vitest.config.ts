import { defineConfig } from 'vitest/config';

/** The system as a whole, as its users start it. `--full` counts (CALCULAUD_E2E=full) are for evidence, small ones for CI. */
export default defineConfig({
  test: {
    include: ['e2e/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'e2e/docker/**', 'e2e/backup/**'],
    globalSetup: ['packages/testing/src/global-setup.ts'],
    pool: 'forks',
    // Each file starts a system of its own; two at a time would measure each other.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 120_000,
  },
});
