import type { CommandGroup } from '../../command.ts';

export const tokenCommands: CommandGroup = {
  verb: 'token',
  description: 'API tokens: who may call the API without an identity provider.',
  commands: [
    {
      usage: 'create',
      description:
        'Create an API token and print it once, alone, to standard output. Only its hash is stored: nobody can show it again.',
      options: [
        {
          flags: '--role <role>',
          description: 'what it may do: user reads, admin changes',
          choices: ['user', 'admin'],
          required: true,
        },
        { flags: '--name <name>', description: 'what or whom it is for', required: true },
        {
          flags: '--expires <when>',
          description:
            'when it stops working: in 90d or 12h, at the end of a day (2027-01-31, UTC), or at an instant ' +
            '(2027-01-31T12:00:00Z); without it, when it is revoked',
        },
      ],
      examples: [
        ['TOKEN=$(npx calculaud token create --role admin --name me)', 'for the shell'],
        [
          'calculaud token create --role user --name "nightly report" --expires 90d',
          'for a script that reads',
        ],
      ],
      load: () => import('./create.ts'),
    },
    {
      usage: 'list',
      description: 'Show all API tokens that were ever created, without the tokens themselves.',
      examples: [
        ['calculaud token list', 'who may call the API'],
        ['calculaud token list --json', 'the same for programs'],
      ],
      load: () => import('./list.ts'),
    },
    {
      usage: 'revoke <id>',
      description: 'Make an API token useless for good, on every server within seconds.',
      options: [{ flags: '--yes', description: 'do not ask' }],
      examples: [
        ['calculaud token revoke 3', 'the token with this number in `calculaud token list`'],
        ['calculaud token revoke 3 --yes', 'in a script'],
      ],
      load: () => import('./revoke.ts'),
    },
  ],
};
