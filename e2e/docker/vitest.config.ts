import { defineConfig } from 'vitest/config';

/** Each takes four minutes or more; `main.ts` says so when they are left out. */
export const ONLY_FULL = ['three-nodes.test.ts', 'ssh-deployment.test.ts'];

/** Image, stack and deployments on a real Docker daemon; `npm run e2e:docker` finds or starts one. */
export default defineConfig({
  test: {
    include: ['e2e/docker/**/*.test.ts'],
    exclude: process.env['CALCULAUD_E2E'] === 'full' ? [] : ONLY_FULL.map((file) => `**/${file}`),
    pool: 'forks',
    // Each file measures what it does; two at a time would measure each other.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
