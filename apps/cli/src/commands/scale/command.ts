import type { CommandDescription } from '../../command.ts';
import { changeFlags } from '../../deployment/flags.ts';

export const scaleCommand: CommandDescription = {
  usage: 'scale <service=n...>',
  description:
    'Run another number of containers: of the API (the colour that answers) or of the worker. Verified like a deployment; ' +
    'when the containers do not come up, the number before comes back (exit 4). The next deployment runs as many as ' +
    'calculaud.yml says: --save writes the number there, too.',
  options: [
    ...changeFlags,
    { flags: '--save', description: 'write the number to calculaud.yml as well' },
    { flags: '--dry-run', description: 'print the plan only; ends with 2 when there is something to do' },
  ],
  examples: [
    ['calculaud scale api=4 --to production', 'for a busy day'],
    ['calculaud scale api=3 worker=2 --save --yes', 'for good'],
  ],
  load: () => import('./scale.ts'),
};
