import type { CommandDescription } from '../../command.ts';

export const renderCommand: CommandDescription = {
  usage: 'render',
  description:
    'Print the stack that a calculaud.yml stands for, as a file for `docker stack deploy`. The secrets and configs that ' +
    'it names have to be there (`calculaud init`); with --output the configs lie beside the file instead. ' +
    'Nothing is asked and nothing is changed.',
  options: [
    { flags: '--file <file>', description: 'the configuration (calculaud.yml)' },
    { flags: '--environment <name>', description: 'of calculaud.<name>.yml' },
    { flags: '--output <folder>', description: 'write stack.yml and the files that it mounts there' },
  ],
  examples: [
    ['calculaud render', 'what would be deployed'],
    ['calculaud render | docker stack deploy --prune -c - calculaud-production', 'deploy it by hand'],
    ['calculaud render --environment staging --output stack', 'as a folder to keep or to look into'],
  ],
  load: () => import('./render.ts'),
};
