import type { CommandDescription } from '../../command.ts';
import { environmentFlags } from '../../deployment/flags.ts';

export const execCommand: CommandDescription = {
  usage: 'exec <service> <command...>',
  description:
    'Run a program in a running container of a service: `api` is the colour that answers, `worker.2` a certain container. ' +
    'It has your terminal, or your pipe, and its exit code is that of this command. Before it starts, who runs what is ' +
    'written to the ledger, with secrets masked as far as they can be recognised; what it is given by pipe is not.',
  options: [
    ...environmentFlags,
    { flags: '--wait <seconds>', description: 'for a deployment that is under way (0)' },
  ],
  examples: [
    [
      'calculaud exec api --to production -- calculaud db status',
      'what is behind -- is run as it stands there',
    ],
    ['calculaud exec worker -- bash', 'a shell'],
    ['echo "select now()" | calculaud exec database -- psql -U calculaud', 'with something to read'],
    ['calculaud exec --to staging api-blue.2 -- env', 'in another environment'],
  ],
  load: () => import('./exec.ts'),
};
