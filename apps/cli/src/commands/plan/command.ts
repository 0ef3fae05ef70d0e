import type { CommandDescription } from '../../command.ts';
import { environmentFlags } from '../../deployment/flags.ts';

export const planCommand: CommandDescription = {
  usage: 'plan',
  description:
    'Say what `calculaud deploy` would do now, drift included: what differs between the live stack and its configuration. ' +
    'Takes no lock and changes nothing. Ends with 2 when there is something to do.',
  options: [
    ...environmentFlags,
    { flags: '--image <image>', description: 'the version; the one of the configuration unless given' },
    {
      flags: '--strategy <strategy>',
      description: 'how traffic would move',
      choices: ['rolling', 'blue-green', 'canary'],
    },
  ],
  examples: [
    ['calculaud plan --to production', 'has anything drifted?'],
    ['calculaud plan --to production --image calculaud:1.4.0 --json', 'what would an upgrade do?'],
  ],
  load: () => import('./plan.ts'),
};
