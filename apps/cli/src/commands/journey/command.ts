import type { CommandDescription } from '../../command.ts';

export const journeyCommand: CommandDescription = {
  usage: 'journey',
  description:
    'Do once, over HTTP, what people do all day: sign in, open every page, create a purpose, add a purchase, attach a ' +
    'file, complete a stage, find it all again, clean up. Ends with 2 when a step does not come out right. ' +
    'Signs in with CALCULAUD_API_TOKEN, or the token of a first line {"token":"…"} on standard input.',
  options: [
    { flags: '--url <url>', description: 'where the system answers', required: true },
    {
      flags: '--connect <host:port>',
      description: 'connect here instead; name and certificate stay those of the URL',
    },
    { flags: '--ca <file>', description: 'the certificate authority to trust (PEM)' },
    {
      flags: '--rounds <n>',
      description: 'how often; 0: again and again until standard input ends (1)',
    },
    { flags: '--pause <ms>', description: 'between two rounds (1000)' },
  ],
  examples: [
    ['calculaud journey --url https://calculaud.example.org', 'does everything work?'],
    ['calculaud journey --url http://127.0.0.1:8000 --rounds 10 --json', 'ten times, for a program'],
  ],
  load: () => import('./journey.ts'),
};
