import type { CommandDescription } from '../../command.ts';

export const exportCommand: CommandDescription = {
  usage: 'export <file>',
  description:
    'Write everything in the database, as it is in one moment, to one file that any tar, gzip and PostgreSQL can read, too. ' +
    'The file is read again and checked before the command ends. It holds all data, and no files that users attached: ' +
    'keep it where nobody else can read it.',
  examples: [
    ['calculaud export calculaud-2026-12-01.tar', 'beside the backups, or to take the data elsewhere'],
    ['calculaud export /mnt/elsewhere/calculaud.tar --json', 'in a script; the events tell how many rows'],
  ],
  load: () => import('./export.ts'),
};
