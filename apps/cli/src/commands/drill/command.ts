import type { CommandDescription } from '../../command.ts';

export const drillCommand: CommandDescription = {
  usage: 'drill',
  description:
    'Prove that the backups can be restored: restores into a scratch folder, beside everything that runs, starts the ' +
    'application on it, compares every table with what was noted where it lives, and looks at every page, index, ' +
    'reference, rule and file. Uses the last repository of the configuration, which should be the remote one. The ' +
    'result is kept there, signed. Ends with 2 when something is lost or altered, with 7 when it could not be verified.',
  options: [
    {
      flags: '--to <moment>',
      description: 'what to restore: without it the newest moment of which the contents were noted',
    },
    { flags: '--from <repository>', description: 'from this folder or bucket' },
    {
      flags: '--kit <file>',
      description: 'with the keys of the recovery kit alone, as after the loss of the server',
    },
    { flags: '--history', description: 'show the drills of before instead' },
  ],
  examples: [
    ['calculaud drill', 'once a week, and after each upgrade'],
    ['calculaud drill --kit kit.txt', 'is the kit the right one?'],
    ['calculaud drill --history', 'when was the last one, how long would a disaster last?'],
  ],
  load: () => import('./drill.ts'),
};
