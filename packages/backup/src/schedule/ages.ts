/** What is known of one repository. All times are those of successes; undefined: there was none yet. */
export interface RepositoryAges {
  readonly address: string;
  /** Since when somebody watches over it: what never happened is as old as this. */
  readonly watchedSince: Date;
  readonly base?: Date | undefined;
  readonly export?: Date | undefined;
  readonly verification?: Date | undefined;
  /** The last one that passed. */
  readonly drill?: Date | undefined;
  readonly newestDrill?:
    | {
        readonly verdict: 'passed' | 'failed' | 'could-not-verify';
        readonly words: string;
        readonly rtoMs: number | null;
        readonly rpoMs: number | null;
      }
    | undefined;
  /** When it last had all of the log that the server had written, so that an idle server is not late. */
  readonly logComplete?: Date | undefined;
  readonly logLagBytes?: number | undefined;
  /** Stretches of log that nobody has, after the newest base backup began. */
  readonly gapsSinceBase: number;
  /** What is damaged, each by its name. */
  readonly corrupt: readonly string[];
  /** How much log the server still keeps for the receiver before it drops the slot. */
  readonly slotSafeBytes?: number | undefined;
  readonly filesNotCopied?: number | undefined;
  /** Log that waits for it on this machine, and how much of it may. */
  readonly spoolBytes?: number | undefined;
  readonly spoolLimitBytes?: number | undefined;
  readonly freeBytes?: number | undefined;
  readonly newestBackup?:
    | { readonly totalBytes: number; readonly newBytes: number; readonly seconds: number }
    | undefined;
}

export interface Alert {
  readonly name:
    | 'backup-old'
    | 'log-late'
    | 'export-old'
    | 'drill-old'
    | 'drill-red'
    | 'log-gap'
    | 'corrupt'
    | 'slot-endangered'
    | 'space-short'
    | 'spool-full'
    | 'clock-moved';
  readonly severity: 'warning' | 'critical';
  readonly repository: string;
  /** What happened, why it matters and what to do. */
  readonly words: string;
}

const [MINUTE_MS, HOUR_MS] = [60_000, 3_600_000];
const DAY_MS = 24 * HOUR_MS;
const SLOT_ENDANGERED_BYTES = 2 * 1024 ** 3;
const SPACE_SHORT_BYTES = 1024 ** 3;
/** Of the limit, and two segments before it: there one more or less would make it come and go. */
const SPOOL_FULL_SHARE = 0.8;
const TWO_SEGMENTS_BYTES = 32 * 1024 ** 2;
/** Clocks of two hosts differ by as much. */
const SKEW_MS = 5 * MINUTE_MS;

interface Limit {
  readonly name: Alert['name'];
  readonly severity: Alert['severity'];
  readonly of: (ages: RepositoryAges) => Date | undefined;
  readonly mostMs: number;
  readonly what: string;
  readonly advice: string;
}

/** Errors that nobody counted do not hide in an age: what does not happen grows old. */
const LIMITS: readonly Limit[] = [
  {
    name: 'backup-old',
    severity: 'critical',
    of: ({ base }) => base,
    mostMs: 26 * HOUR_MS,
    what: 'base backup',
    advice: 'See why the last one failed, and make one: calculaud backup create.',
  },
  {
    name: 'log-late',
    severity: 'critical',
    of: ({ logComplete }) => logComplete,
    mostMs: 5 * MINUTE_MS,
    what: 'complete log',
    advice:
      'What was entered since then is lost with this machine. Is the repository reachable, and does the backup service run?',
  },
  {
    name: 'export-old',
    severity: 'warning',
    of: (ages) => ages.export,
    mostMs: 26 * HOUR_MS,
    what: 'logical export',
    advice: 'See why the last one failed, and make one: calculaud export.',
  },
  {
    name: 'drill-old',
    severity: 'warning',
    of: ({ drill }) => drill,
    mostMs: 8 * DAY_MS,
    what: 'passed drill',
    advice: 'Nobody knows whether the backups can be restored. Run one: calculaud drill.',
  },
];

/** What an operator has to know now, the worst first. Empty: all is well. */
export function alertsOf(repositories: readonly RepositoryAges[], now: Date): readonly Alert[] {
  const alerts = repositories.flatMap((ages) => [...byAge(ages, now), ...byFinding(ages)]);
  return [
    ...alerts.filter(({ severity }) => severity === 'critical'),
    ...alerts.filter(({ severity }) => severity === 'warning'),
  ];
}

function byAge(ages: RepositoryAges, now: Date): readonly Alert[] {
  const { address: repository, watchedSince } = ages;
  const alerts: Alert[] = [];
  for (const { name, severity, of, mostMs, what, advice } of LIMITS) {
    const last = of(ages);
    const ageMs = now.getTime() - (last ?? watchedSince).getTime();
    if (ageMs < -SKEW_MS) {
      const words = `The newest ${what} of ${repository} is dated ${(last ?? watchedSince).toISOString()}, in the future: the clock of a machine was moved, and its age is not known. Set the clock.`;
      alerts.push({ name: 'clock-moved', severity: 'critical', repository, words });
    }
    if (ageMs <= mostMs) continue;
    const words = last
      ? `The newest ${what} of ${repository} is ${ageInWords(ageMs)} old (${last.toISOString()}); it should be at most ${ageInWords(mostMs)}. ${advice}`
      : `There is no ${what} in ${repository}, which is watched for ${ageInWords(ageMs)}. ${advice}`;
    alerts.push({ name, severity, repository, words });
  }
  return alerts;
}

function byFinding(ages: RepositoryAges): readonly Alert[] {
  const { address: repository, newestDrill, gapsSinceBase, corrupt, slotSafeBytes, freeBytes } = ages;
  const { spoolBytes, spoolLimitBytes } = ages;
  const alerts: Alert[] = [];
  const add = (name: Alert['name'], severity: Alert['severity'], words: string) =>
    alerts.push({ name, severity, repository, words });
  if (corrupt.length > 0) {
    const named = corrupt.slice(0, 3).join(', ');
    const more = corrupt.length > 3 ? ` and ${corrupt.length - 3} more` : '';
    add(
      'corrupt',
      'critical',
      `In ${repository} is damaged: ${named}${more}. Check the disk, make a new backup, and see which backups are hurt: calculaud backup verify.`,
    );
  }
  if (gapsSinceBase > 0) {
    add(
      'log-gap',
      'critical',
      `${repository} lacks ${gapsSinceBase === 1 ? 'a stretch' : `${gapsSinceBase} stretches`} of the log since the newest base backup: nothing after it can be restored. Make a new backup now: calculaud backup create.`,
    );
  }
  if (newestDrill?.verdict === 'failed') {
    add('drill-red', 'critical', `The newest drill of ${repository} failed: ${newestDrill.words}`);
  }
  if (newestDrill?.verdict === 'could-not-verify') {
    add('drill-red', 'warning', `The newest drill of ${repository} proved nothing: ${newestDrill.words}`);
  }
  if (slotSafeBytes !== undefined && slotSafeBytes < SLOT_ENDANGERED_BYTES) {
    add(
      'slot-endangered',
      'critical',
      `The server keeps only ${Math.max(0, Math.floor(slotSafeBytes / 1024 ** 2))} MiB more of the log for the backup; then the backup has a gap. See why the log is not received, or raise max_slot_wal_keep_size.`,
    );
  }
  if (spoolBytes !== undefined && spoolLimitBytes !== undefined) {
    if (spoolBytes >= Math.min(SPOOL_FULL_SHARE * spoolLimitBytes, spoolLimitBytes - TWO_SEGMENTS_BYTES)) {
      add(
        'spool-full',
        'critical',
        `${inMebibytes(spoolBytes)} of the log wait on this machine for ${repository}, and ${inMebibytes(spoolLimitBytes)} may. Beyond that the oldest goes where another repository has it, and ${repository} gets a gap and a new base backup; else nothing more is received. Make the repository usable again, or raise CALCULAUD_BACKUP_SPOOL_GB.`,
      );
    }
  }
  if (freeBytes !== undefined && freeBytes < SPACE_SHORT_BYTES) {
    add(
      'space-short',
      'warning',
      `${repository} has room for ${Math.floor(freeBytes / 1024 ** 2)} MiB more; then nothing is backed up there. Make room, or keep backups for a shorter time: calculaud backup prune.`,
    );
  }
  return alerts;
}

function inMebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}

function ageInWords(ms: number): string {
  const units = [
    { ms: DAY_MS, word: 'days' },
    { ms: HOUR_MS, word: 'hours' },
    { ms: MINUTE_MS, word: 'minutes' },
  ];
  const unit = units.find((each) => ms >= 2 * each.ms);
  return unit ? `${Math.floor(ms / unit.ms)} ${unit.word}` : `${Math.floor(ms / 1000)} seconds`;
}
