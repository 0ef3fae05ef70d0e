import { spawnSync } from 'node:child_process';
import { repository } from '../system.ts';
import { ONLY_FULL } from './vitest.config.ts';

/**
 * `npm run e2e:backup`: backups, restores and what can happen to them. Arguments that are not ours go to Vitest.
 *
 *   --full   the counts of the bars, for evidence; small ones without it
 */
const full = process.argv.includes('--full');
const forVitest = process.argv.slice(2).filter((argument) => argument !== '--full');
if (!full) console.log(`Only with --full: ${ONLY_FULL.join(', ')}`);
const { status } = spawnSync(
  'npx',
  ['vitest', 'run', '--config', 'e2e/backup/vitest.config.ts', ...forVitest],
  {
    cwd: repository,
    env: { ...process.env, ...(full ? { CALCULAUD_E2E: 'full' } : {}) },
    stdio: 'inherit',
  },
);
process.exitCode = status ?? 1;
