import type { CommandGroup } from '../../command.ts';

export const databaseCommands: CommandGroup = {
  verb: 'db',
  description: "Look after the database's schema.",
  commands: [
    {
      usage: 'status',
      description:
        'Show which migrations the database has and which it lacks, and which of them are contract migrations, that older ' +
        'versions do not run on. Ends with 2 when it is not as this version needs it.',
      examples: [
        ['calculaud db status', 'before an upgrade'],
        [
          'calculaud db status --json',
          'with the phase of each, and the lowest application that the schema still bears',
        ],
      ],
      load: () => import('./status.ts'),
    },
    {
      usage: 'fit',
      description:
        'Say what this version would do to the database, and change nothing: which migrations it would apply, which of ' +
        'them the version that runs now would not bear, when this version may start, whether there is a way back. Ends ' +
        'with 2 when it may not start after expand migrations alone, or when there is no way back.',
      options: [
        {
          flags: '--running-knows <migration>',
          description:
            'the last migration that the version that runs now knows (`knows` in its `db status --json`); without it, ' +
            'what is applied',
        },
      ],
      examples: [
        ['calculaud db fit', 'asked of the new version, before it is deployed'],
        ['calculaud db fit --running-knows 0018_suppliers --json', 'for a program that deploys'],
      ],
      load: () => import('./fit.ts'),
    },
    {
      usage: 'migrate',
      description:
        'Apply the migrations that the database lacks. Expand migrations only add, so the version that runs now goes on ' +
        'running; it does not run any more after a contract migration, which `--phase expand` leaves for later.',
      options: [
        {
          flags: '--phase <phase>',
          description:
            'which ones: expand or contract, up to the first of the other kind; all, which is what is done without it',
          choices: ['expand', 'contract', 'all'],
        },
        {
          flags: '--plan',
          description: 'only say what would be applied; ends with 2 when there is something',
        },
      ],
      examples: [
        ['calculaud db migrate --plan', 'what an upgrade would change'],
        ['calculaud db migrate', 'before the new version starts'],
        ['calculaud db migrate --phase expand', 'while the version of before goes on running'],
        ['calculaud db migrate --phase contract', 'when nobody goes back to it any more'],
      ],
      load: () => import('./migrate.ts'),
    },
    {
      usage: 'takeover',
      description:
        "Take the predecessor's live database over, in place: says first what it would do, copies all tables to files, " +
        'and works in one transaction. Rows that break a rule are listed before anything changes (ends with 2). ' +
        'Times are read in CALCULAUD_LEGACY_TZ. Stop the predecessor first.',
      options: [
        { flags: '--plan', description: 'only say what would be done' },
        {
          flags: '--copy-to <folder>',
          description: 'where the copy of the old tables goes (CALCULAUD_DATA/takeover)',
        },
        { flags: '--ignore-connections', description: 'go on although others are connected' },
        { flags: '--yes', description: 'do not ask' },
      ],
      examples: [
        [
          'CALCULAUD_LEGACY_TZ=Asia/Jerusalem calculaud db takeover --plan',
          'a rehearsal, while the predecessor runs',
        ],
        ['calculaud db takeover --plan --json > plan.ndjson', 'all rows to repair, for a script'],
        ['calculaud db takeover --copy-to /backup', 'the real thing'],
      ],
      load: () => import('./takeover.ts'),
    },
  ],
};
