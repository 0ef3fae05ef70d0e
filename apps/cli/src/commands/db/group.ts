import type { CommandGroup } from '../../command.ts';

export const databaseCommands: CommandGroup = {
  verb: 'db',
  description: "Look after the database's schema.",
  commands: [
    {
      usage: 'status',
      description:
        'Show which migrations the database has and which it lacks. Ends with 2 when it is not as this version needs it.',
      examples: [['calculaud db status', 'before an upgrade']],
      load: () => import('./status.ts'),
    },
    {
      usage: 'migrate',
      description:
        'Apply the migrations that the database lacks. They only add, so the version that runs now goes on running.',
      options: [
        {
          flags: '--plan',
          description: 'only say what would be applied; ends with 2 when there is something',
        },
      ],
      examples: [
        ['calculaud db migrate --plan', 'what an upgrade would change'],
        ['calculaud db migrate', 'before the new version starts'],
      ],
      load: () => import('./migrate.ts'),
    },
  ],
};
