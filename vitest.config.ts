import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{apps,packages,scripts,bench}/**/*.test.{ts,tsx}'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    globalSetup: ['packages/testing/src/global-setup.ts'],
    // Processes, not threads: tests start servers, change working directories and send signals.
    pool: 'forks',
    maxWorkers: 2,
    // Modules are loaded once a process, not once a file: 276 instead of 336 s for 2,520 tests. So a module that tests share
    // must neither register hooks as it is loaded nor remember what one file did.
    isolate: false,
    testTimeout: 15_000,
    hookTimeout: 30_000,
    // A test that leaves a handle open is a fault of the code under test: it must not be hidden by a kill at the end.
    teardownTimeout: 20_000,
    restoreMocks: true,
    unstubEnvs: true,
  },
});
