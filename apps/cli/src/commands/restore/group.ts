import type { CommandDescription, CommandGroup } from '../../command.ts';

const restore: CommandDescription = {
  usage: 'restore',
  description:
    'Bring the database and its files back as they were at a moment. The database is built beside the one that is there, ' +
    'proves that it came that far, and takes its place; the one of before is kept. Stop the system first, or name another ' +
    'folder.',
  options: [
    {
      flags: '--to <moment>',
      description: 'latest, a time with its zone, the id of a backup, a position in the log, or point:<name>',
    },
    { flags: '--into <folder>', description: 'a data folder of its own, instead of CALCULAUD_DATA' },
    { flags: '--from <repository>', description: 'from this folder or bucket' },
    {
      flags: '--kit <file>',
      description: 'the page of the recovery kit, where the keys of the server are gone',
    },
    { flags: '--dry-run', description: 'only say what would be done' },
    { flags: '--yes', description: 'do not ask' },
  ],
  examples: [
    ['calculaud restore --to latest', 'the disk with the database is gone'],
    ['calculaud restore --to 2026-12-01T09:30:00+02:00', 'somebody deleted what he should not have'],
    ['calculaud restore --to latest --into ./look', 'to look at it, beside the running system'],
    ['calculaud restore --to latest --kit kit.txt', 'on a new machine, with nothing but the kit'],
  ],
  load: () => import('./restore.ts'),
};

export const restoreCommands: CommandGroup = {
  verb: 'restore',
  description: 'Bring the database back as it was.',
  own: restore,
  commands: [
    {
      usage: 'undo [database]',
      description:
        'Put the database back that the last restore has replaced, or the one that is named. The one that is there now is ' +
        'kept in turn. Stop the system first.',
      options: [
        { flags: '--dry-run', description: 'only say what would be done' },
        { flags: '--yes', description: 'do not ask' },
      ],
      examples: [
        ['calculaud restore undo', 'it was the wrong moment'],
        ['calculaud restore undo postgres.before-20261201T093000Z', 'of several restores'],
      ],
      load: () => import('./undo.ts'),
    },
  ],
};
