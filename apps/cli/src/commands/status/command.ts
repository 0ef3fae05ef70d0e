import type { CommandDescription } from '../../command.ts';
import { environmentFlags } from '../../deployment/flags.ts';

export const statusCommand: CommandDescription = {
  usage: 'status',
  description:
    'Look at an environment, on one screen: what is wrong and what to type, which version answers users, what runs where, ' +
    'drift, unfinished work, the database, disks. Takes no lock and changes nothing. Ends with 2 when something is not as ' +
    'it should be, with 7 when a part could not be looked at, with 3 when nothing could.',
  options: [...environmentFlags, { flags: '--watch', description: 'look again and again, until Ctrl-C' }],
  examples: [
    ['calculaud status --to production', 'is everything as it should be?'],
    ['calculaud status --to production --watch', 'beside a deployment'],
    ['calculaud status --to production --json', 'all of it in one event, for a program'],
  ],
  load: () => import('./status.ts'),
};
