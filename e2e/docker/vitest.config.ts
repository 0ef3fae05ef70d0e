import { defineConfig } from 'vitest/config';

/** Image, stack and deployments on a real Docker daemon; `npm run e2e:docker` finds or starts one. */
export default defineConfig({
  test: {
    include: ['e2e/docker/**/*.test.ts'],
    pool: 'forks',
    // Each file measures what it does; two at a time would measure each other.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
