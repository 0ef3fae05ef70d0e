import type { CommandGroup } from '../../command.ts';

export const demoCommands: CommandGroup = {
  verb: 'demo',
  description: 'The demonstration organisation that a new system starts with.',
  commands: [
    {
      usage: 'add',
      description:
        'Add the demonstration to the configured database, beside what is in it. Refused while there is one.',
      options: [{ flags: '--yes', description: 'do not ask' }],
      examples: [['calculaud demo add', 'to a database of your own server, or after a clearing']],
      load: () => import('./add.ts'),
    },
    {
      usage: 'clear',
      description:
        'Remove the demonstration and only it. What somebody has built upon or edited since is kept, and told with the reason.',
      options: [
        { flags: '--plan', description: 'only say what would go and what would be kept' },
        {
          flags: '--edited',
          description:
            'remove purposes that somebody only edited, too; never those with something of his own',
        },
        { flags: '--yes', description: 'do not ask' },
      ],
      examples: [
        ['calculaud demo clear --plan', 'what would go; ends with 2 when there is something'],
        ['calculaud demo clear', 'before the real work begins'],
        ['calculaud demo clear --yes', 'in a script'],
      ],
      load: () => import('./clear.ts'),
    },
  ],
};
