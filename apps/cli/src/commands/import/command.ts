import type { CommandDescription } from '../../command.ts';

export const importCommand: CommandDescription = {
  usage: 'import <file>',
  description:
    'Fill a database that nobody used yet with an export, also one of an earlier version. All of the file is checked first; ' +
    'the rows come in one transaction, which ends only when every table reads back as the file has it. Whatever fails ' +
    'before leaves the database as it was.',
  options: [
    { flags: '--plan', description: 'only say what would be done; ends with 2 when it can be done' },
    { flags: '--yes', description: 'do not ask' },
  ],
  examples: [
    ['calculaud import calculaud-2026-12-01.tar --plan', 'whether the file is whole, and what is in it'],
    ['CALCULAUD_DATA=./again calculaud import calculaud-2026-12-01.tar', 'into a new system beside this one'],
    ['calculaud import calculaud-2026-12-01.tar --yes', 'into the database of DATABASE_URL, in a script'],
  ],
  load: () => import('./import.ts'),
};
