import type { CommandDescription } from '../../command.ts';
import { changeFlags } from '../../deployment/flags.ts';

export const rollbackCommand: CommandDescription = {
  usage: 'rollback',
  description:
    'Switch all traffic back to the version that was kept beside the one that runs. It goes on running until ' +
    '`calculaud deploy finish` or the next deployment, so this takes one switch and no start.',
  options: changeFlags,
  examples: [
    ['calculaud rollback --to production', 'back to the version before, at once'],
    ['calculaud rollback --yes --json', 'in a script'],
  ],
  load: () => import('./rollback.ts'),
};
