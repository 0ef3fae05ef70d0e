import type { CommandGroup } from '../../command.ts';

const kitFlag = {
  flags: '--kit <file>',
  description: 'the page of the recovery kit, where the keys of the server are gone',
};
const fromFlag = { flags: '--from <repository>', description: 'look at this folder or bucket alone' };

export const backupCommands: CommandGroup = {
  verb: 'backup',
  description: 'Look after the backups.',
  commands: [
    {
      usage: 'status',
      description:
        'Show how old each kind of backup is in each repository, what runs next, and what needs a look. Ends with 2 when ' +
        'something does, with 7 when no backup service has told anything.',
      examples: [
        ['calculaud backup status', 'are the backups well?'],
        ['calculaud backup status --json', 'for a program that watches'],
      ],
      load: () => import('./status.ts'),
    },
    {
      usage: 'create',
      description:
        'Make a base backup now, beside the running system, in every repository. The system makes one a day by itself.',
      options: [{ flags: '--full', description: 'with pgBackRest: all of it, and not what has changed' }],
      examples: [['calculaud backup create', 'before something that cannot be undone']],
      load: () => import('./create.ts'),
    },
    {
      usage: 'list',
      description:
        'List the backups and exports of every repository, the newest first. Ends with 2 when one cannot be read.',
      options: [fromFlag, kitFlag],
      examples: [
        ['calculaud backup list', 'to which backups could be restored?'],
        ['calculaud backup list --from /mnt/usb/backups --kit kit.txt', 'with nothing but the kit'],
      ],
      load: () => import('./list.ts'),
    },
    {
      usage: 'show <id>',
      description: 'Show what is known of a backup.',
      options: [fromFlag, kitFlag],
      examples: [['calculaud backup show 20261201T030000Z-1a2b3c4d', 'its tables, its place in the log']],
      load: () => import('./show.ts'),
    },
    {
      usage: 'verify [id]',
      description:
        'Read all that a restore would read, and compare it with what was written: every chunk, the whole log, every file. ' +
        'The newest backup when none is named. Ends with 2 when something is missing or altered, and names it; with 7 when ' +
        'something could not be read.',
      options: [fromFlag, kitFlag],
      examples: [
        ['calculaud backup verify', 'is the newest backup what it was?'],
        ['calculaud backup verify --json', 'for a program that watches'],
      ],
      load: () => import('./verify.ts'),
    },
    {
      usage: 'extract <export> <file>',
      description:
        'Write an export, which the system makes every night, from a repository to a file. The file holds all data: keep it ' +
        'where nobody else can read it.',
      options: [fromFlag, kitFlag],
      examples: [
        ['calculaud backup extract 20261201T030000Z-1a2b3c4d calculaud.tar', 'then: calculaud import'],
      ],
      load: () => import('./extract.ts'),
    },
    {
      usage: 'prune',
      description:
        'Remove what need not be kept any longer, as CALCULAUD_BACKUP_KEEP_… says; the system does so once a day by itself. ' +
        'What becomes needless is marked first and goes 72 hours later. Two verified backups always stay. Ends with 2 when ' +
        'nothing may be removed because something cannot be read.',
      options: [
        {
          flags: '--dry-run',
          description:
            'only say what goes, and why the rest stays; ends with 2 when there is something to do',
        },
        { flags: '--yes', description: 'do not ask' },
        fromFlag,
      ],
      examples: [
        ['calculaud backup prune --dry-run', 'what stays, and why?'],
        ['calculaud backup prune --yes', 'after the settings were changed'],
      ],
      load: () => import('./prune.ts'),
    },
    {
      usage: 'hold <id>',
      description: 'Keep a backup until it is released, whatever the settings say, as for a court.',
      options: [{ flags: '--why <words>', description: 'stays on record', required: true }, fromFlag],
      examples: [['calculaud backup hold 20261201T030000Z-1a2b3c4d --why "audit 2026"', 'it stays']],
      load: () => import('./hold.ts'),
    },
    {
      usage: 'release <id>',
      description: 'End the hold on a backup. That it was held stays on record.',
      options: [{ flags: '--why <words>', description: 'stays on record', required: true }, fromFlag],
      examples: [['calculaud backup release 20261201T030000Z-1a2b3c4d --why "audit is over"', 'as others']],
      load: () => import('./release.ts'),
    },
  ],
};
