import type { CommandGroup } from '../../command.ts';

export const configCommands: CommandGroup = {
  verb: 'config',
  description: 'Look at the configuration.',
  commands: [
    {
      usage: 'show',
      description:
        'Print every setting: its effective value, where it came from, and what it is for. Secrets are masked. ' +
        'Ends with 3 when the configuration cannot be used, and lists all that is wrong.',
      options: [{ flags: '--changed', description: 'only the settings that are not at their default' }],
      examples: [
        ['calculaud config show', 'everything that can be set'],
        ['calculaud config show --changed', 'what this environment sets'],
        ['calculaud config show --json', 'the same for programs'],
      ],
      load: () => import('./show.ts'),
    },
    {
      usage: 'check',
      description:
        'Read the configuration of an environment (calculaud.yml) and list everything that is wrong with it, each with its ' +
        'line. Ends with 2 when something is, with 3 when there is no such file.',
      options: [
        { flags: '--file <file>', description: 'the configuration (calculaud.yml)' },
        { flags: '--environment <name>', description: 'of calculaud.<name>.yml' },
      ],
      examples: [
        ['calculaud config check', 'before it is deployed'],
        ['calculaud config check --environment staging --json', 'in a pipeline'],
      ],
      load: () => import('./check.ts'),
    },
  ],
};
