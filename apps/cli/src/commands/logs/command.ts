import type { CommandDescription } from '../../command.ts';
import { environmentFlags } from '../../deployment/flags.ts';

export const logsCommand: CommandDescription = {
  usage: 'logs [service]',
  description:
    'Print what the containers of an environment wrote, of all replicas and hosts, in the order in which it was written. ' +
    'Containers that ended are among them for as long as Docker keeps them. Without a service: of all; `api` is both ' +
    'colours. Ends with 7 when a part could not be had.',
  options: [
    ...environmentFlags,
    { flags: '--follow', description: 'go on until Ctrl-C, with containers that come later' },
    { flags: '--since <time>', description: 'not before: 10m, 2h, 3d, 2026-11-23, 2026-11-23T07:30 (UTC)' },
    {
      flags: '--tail <n>',
      description: 'so many of the last lines of each container (100; 10000 with --since or --grep)',
    },
    { flags: '--grep <pattern>', description: 'only lines that match this regular expression' },
  ],
  examples: [
    ['calculaud logs --to production', 'the last lines of everything'],
    ['calculaud logs api --follow', 'watch both colours, through a deployment'],
    ['calculaud logs worker --since 2h --grep \'"level":50\'', 'errors of the worker in the last two hours'],
    ['calculaud logs gateway --since 2026-11-23T07:30 --json', 'for a program'],
  ],
  load: () => import('./logs.ts'),
};
