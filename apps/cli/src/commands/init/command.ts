import type { CommandDescription } from '../../command.ts';
import { KINDS } from '../../environment/schema.ts';

export const initCommand: CommandDescription = {
  usage: 'init',
  description:
    'Prepare an environment: write its calculaud.yml when there is none (asked on a terminal, or by the options), make ' +
    'the Docker of its host a swarm when it is none, and create the secrets that are missing there. Run again it only ' +
    'adds what is missing. Generated secrets are shown nowhere.',
  options: [
    { flags: '--file <file>', description: 'the configuration (calculaud.yml)' },
    { flags: '--environment <name>', description: 'of calculaud.<name>.yml' },
    { flags: '--name <name>', description: 'name of the environment (its kind)' },
    { flags: '--kind <kind>', description: 'what it is for', choices: KINDS },
    { flags: '--domain <domain>', description: 'host name under which people reach it' },
    { flags: '--image <image>', description: 'image of Calculaud' },
    { flags: '--docker <address>', description: 'Docker of its host (unix:///var/run/docker.sock)' },
    {
      flags: '--secret <name=file...>',
      description: 'content of a secret: tls=fullchain-and-key.pem, database-app=url.txt',
    },
    {
      flags: '--self-signed',
      description: 'make a certificate that browsers warn of, where none is given',
    },
    { flags: '--plan', description: 'only say what would be done; ends with 2 when there is something' },
    { flags: '--yes', description: 'do not ask' },
  ],
  examples: [
    ['calculaud init', 'answer what is asked'],
    ['calculaud init --kind development --yes', 'to try it on this machine'],
    [
      'calculaud init --kind production --domain procurement.example.org --docker ssh://ops@procurement.example.org --secret tls=tls.pem',
      'on a host that is reached by SSH',
    ],
  ],
  load: () => import('./init.ts'),
};
