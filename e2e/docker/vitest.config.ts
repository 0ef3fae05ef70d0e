import { defineConfig } from 'vitest/config';

/** Each takes four minutes or more; `main.ts` says so when they are left out. */
export const ONLY_FULL = ['three-nodes.test.ts', 'ssh-deployment.test.ts'];

/** What is measured in these is measured alone; of the others two run at a time, for each of them waits most of its time. */
const ALONE = [
  'deployments.test.ts',
  'gateway-reload.test.ts',
  'image.test.ts',
  'killed-deployments.test.ts',
  'stack-development.test.ts',
  ...ONLY_FULL,
];
const anywhere = (files: readonly string[]) => files.map((file) => `e2e/docker/**/${file}`);
const full = process.env['CALCULAUD_E2E'] === 'full';
const shared = { pool: 'forks', testTimeout: 600_000, hookTimeout: 600_000 } as const;

/** Image, stack and deployments on a real Docker daemon; `npm run e2e:docker` finds or starts one. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'alone',
          include: anywhere(ALONE),
          exclude: full ? [] : anywhere(ONLY_FULL),
          maxWorkers: 1,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'two at a time',
          include: anywhere(['*.test.ts']),
          exclude: anywhere(ALONE),
          maxWorkers: full ? 1 : 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
