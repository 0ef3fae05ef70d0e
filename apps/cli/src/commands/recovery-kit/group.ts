import type { CommandGroup } from '../../command.ts';

export const recoveryKitCommands: CommandGroup = {
  verb: 'recovery-kit',
  description: 'The page that opens the backups when the server is gone.',
  commands: [
    {
      usage: 'confirm',
      description:
        'Say that the recovery kit was printed or kept elsewhere; it is removed from this machine, where it would open the ' +
        'backups to whoever breaks in.',
      options: [{ flags: '--yes', description: 'do not ask' }],
      examples: [['calculaud recovery-kit confirm', 'after it was printed']],
      load: () => import('./confirm.ts'),
    },
    {
      usage: 'renew',
      description:
        'Make a new kit, when the old one was lost or is in wrong hands. The old one opens the repositories no longer; who ' +
        'copied them before, and has the old one, can still read what he copied. Every repository must be within reach.',
      options: [{ flags: '--yes', description: 'do not ask' }],
      examples: [['calculaud recovery-kit renew', 'nobody knows where the old page is']],
      load: () => import('./renew.ts'),
    },
    {
      usage: 'use <file>',
      description:
        'Bring the keys of the backups back to this machine: takes them from the first repository that the kit opens.',
      options: [{ flags: '--from <repository>', description: 'this folder or bucket' }],
      examples: [
        ['calculaud recovery-kit use kit.txt', 'on a new machine, so that backups go on in the same place'],
      ],
      load: () => import('./use.ts'),
    },
  ],
};
