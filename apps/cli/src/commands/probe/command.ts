import type { CommandDescription } from '../../command.ts';

export const probeCommand: CommandDescription = {
  usage: 'probe',
  description:
    'Send mixed traffic at a steady rate, as users would, and tell of every failure and of how long answers take. At ' +
    'the end every write is looked for: none may be lost or doubled. Runs until standard input ends; there ' +
    '{"mark":"switch"} begins another phase of the figures. What it makes it removes. Ends with 2 when something failed.',
  options: [
    {
      flags: '--target <name=url...>',
      description: 'where to; side by side: old=… and new=…',
      required: true,
    },
    { flags: '--rate <n>', description: 'requests a second, or pairs of them (20)' },
    { flags: '--duration <seconds>', description: 'end by itself after so long' },
    { flags: '--window <ms>', description: 'how often figures are told (200)' },
    { flags: '--upload-seconds <n>', description: 'how long each upload takes; 0: none (8)' },
    {
      flags: '--connect <host:port>',
      description: 'connect here instead; the certificate stays that of the URL',
    },
    { flags: '--ca <file>', description: 'the certificate authority to trust (PEM)' },
    {
      flags: '--side-by-side',
      description: 'send each request to the old and to the new version, and compare',
    },
    { flags: '--warm-up <n>', description: 'side by side: requests to each server before any counts (300)' },
    {
      flags: '--management-port <port>',
      description: 'side by side: where the servers tell of their memory',
    },
    {
      flags: '--management <name=host:port...>',
      description: 'the same for one that tells elsewhere',
    },
  ],
  examples: [
    ['calculaud probe --target gateway=https://calculaud.example.org --duration 60', 'a minute of traffic'],
    [
      'calculaud probe --json --side-by-side --target old=http://tasks.api-blue:8000 new=http://tasks.api-green:8000',
      'compare two versions, for a program',
    ],
  ],
  load: () => import('./probe.ts'),
};
