import type { CommandGroup } from '../../command.ts';
import { changeFlags } from '../../deployment/flags.ts';

export const deployCommands: CommandGroup = {
  verb: 'deploy',
  description: 'Bring a version to an environment, without losing a request.',
  own: {
    usage: 'deploy',
    description:
      'Bring a version to an environment: grow the schema, start the new version beside the old one, compare the two, move ' +
      'the traffic, watch. Whatever fails is undone by itself (exit 4). The old version is kept for `calculaud rollback`.',
    options: [
      ...changeFlags,
      { flags: '--image <image>', description: 'the version; the one of the configuration unless given' },
      {
        flags: '--strategy <strategy>',
        description: 'how traffic moves; the one of the configuration unless given',
        choices: ['rolling', 'blue-green', 'canary'],
      },
      { flags: '--dry-run', description: 'print the plan only; ends with 2 when there is something to do' },
    ],
    examples: [
      ['calculaud deploy --to staging', 'what calculaud.staging.yml says'],
      ['calculaud deploy --to production --image registry.example.org/calculaud@sha256:…', 'this very image'],
      ['calculaud deploy --strategy canary --yes --json', 'in a pipeline'],
    ],
    load: () => import('./deploy.ts'),
  },
  commands: [
    {
      usage: 'resume',
      description: 'Go on with a deployment whose command was killed or lost its connection.',
      options: changeFlags,
      examples: [['calculaud deploy resume --to production', 'finish what was begun']],
      load: () => import('./resume.ts'),
    },
    {
      usage: 'abort',
      description: 'Undo a deployment that was not finished.',
      options: changeFlags,
      examples: [['calculaud deploy abort --to production', 'back to what was before']],
      load: () => import('./abort.ts'),
    },
    {
      usage: 'finish',
      description:
        'After the soak: remove the version that was kept for a rollback, and apply the migrations that it could not bear.',
      options: [
        ...changeFlags,
        { flags: '--now', description: 'also when the soak (strategy.soak) is not over yet' },
      ],
      examples: [
        ['calculaud deploy finish --to production', 'when the new version has proven itself'],
        ['calculaud deploy finish --now', 'the hosts need the room at once'],
      ],
      load: () => import('./finish.ts'),
    },
  ],
};
