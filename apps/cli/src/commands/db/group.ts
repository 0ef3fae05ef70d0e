import type { CommandGroup } from '../../command.ts';

export const databaseCommands: CommandGroup = {
  verb: 'db',
  description: "Look after the database's schema.",
  commands: [
    {
      usage: 'status',
      description:
        'Show which migrations the database has and which it lacks. Ends with 2 when it is not as this version needs it.',
      examples: [['calculaud db status', 'before an upgrade']],
      load: () => import('./status.ts'),
    },
    {
      usage: 'migrate',
      description:
        'Apply the migrations that the database lacks. They only add, so the version that runs now goes on running.',
      options: [
        {
          flags: '--plan',
          description: 'only say what would be applied; ends with 2 when there is something',
        },
      ],
      examples: [
        ['calculaud db migrate --plan', 'what an upgrade would change'],
        ['calculaud db migrate', 'before the new version starts'],
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
