import type { CommandDescription } from '../../command.ts';
import { environmentFlags } from '../../deployment/flags.ts';

export const historyCommand: CommandDescription = {
  usage: 'history [number]',
  description:
    'Show who changed an environment, when, by which plan, with what outcome and figures, and prove that nothing of it was ' +
    'changed since. With a number: that entry, with its plan and steps. Ends with 2 when something is missing or altered.',
  options: [
    ...environmentFlags,
    { flags: '--limit <n>', description: 'so many of the newest entries (20; 0: all)' },
  ],
  examples: [
    ['calculaud history --to production', 'the last deployments'],
    ['calculaud history 12 --to production', 'all about one of them'],
    ['calculaud history --limit 0 --json > history.ndjson', 'everything, to be kept elsewhere'],
  ],
  load: () => import('./history.ts'),
};
