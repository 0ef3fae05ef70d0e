import type { RepositoryAges } from './ages.ts';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Report {
  /** When the service told it. */
  readonly at: Date;
  readonly repositories: readonly RepositoryAges[];
  /** A repository of null: the service itself. */
  readonly alerts: readonly {
    readonly name: string;
    readonly severity: string;
    readonly repository: string | null;
  }[];
}

/** The same in the text format of Prometheus. What is not known is left out: no sample is ever a guess. */
export function prometheusText({ at, repositories, alerts }: Report): string {
  const each = (
    name: string,
    help: string,
    samplesOf: (
      ages: RepositoryAges,
    ) => readonly (readonly [labels: Record<string, string>, value: number | undefined | null])[],
  ): Metric => ({
    name: `calculaud_backup_${name}`,
    help,
    samples: repositories.flatMap((ages) =>
      samplesOf(ages).flatMap(([labels, value]) =>
        value == null ? [] : [{ labels: { repository: ages.address, ...labels }, value }],
      ),
    ),
  });
  const metrics: readonly Metric[] = [
    each('last_success_timestamp_seconds', 'When each kind last succeeded.', (ages) =>
      (['base', 'export', 'verification', 'drill'] as const).map((kind) => [{ kind }, seconds(ages[kind])]),
    ),
    each('watched_since_timestamp_seconds', 'Since when the backup service watches over it.', (ages) => [
      [{}, seconds(ages.watchedSince)],
    ]),
    each('duration_seconds', 'How long the newest base backup took.', ({ newestBackup }) => [
      [{ kind: 'base' }, newestBackup?.seconds],
    ]),
    each('bytes', 'Size of the newest base backup, and what of it was new.', ({ newestBackup }) => [
      [{ part: 'total' }, newestBackup?.totalBytes],
      [{ part: 'new' }, newestBackup?.newBytes],
    ]),
    each('wal_complete_timestamp_seconds', 'When it last had all of the log.', ({ logComplete }) => [
      [{}, seconds(logComplete)],
    ]),
    each('wal_lag_bytes', 'Log of the server that it does not have.', ({ logLagBytes }) => [
      [{}, logLagBytes],
    ]),
    each('wal_gaps', 'Stretches of log that nobody has, since the newest base backup.', (ages) => [
      [{}, ages.gapsSinceBase],
    ]),
    each('wal_slot_safe_bytes', 'Log that the server still keeps for the receiver.', (ages) => [
      [{}, ages.slotSafeBytes],
    ]),
    each('spool_bytes', 'Log that waits for it on the machine of the service.', ({ spoolBytes }) => [
      [{}, spoolBytes],
    ]),
    each('files_not_copied', 'Attached files that it does not have.', (ages) => [[{}, ages.filesNotCopied]]),
    each('corrupt_objects', 'Objects that are damaged.', ({ corrupt }) => [[{}, corrupt.length]]),
    each('drill_rto_seconds', 'From the decision to restore to a healthy application.', (ages) => [
      [{}, fromMs(ages.newestDrill?.rtoMs)],
    ]),
    each('drill_rpo_seconds', 'What would have been lost.', (ages) => [
      [{}, fromMs(ages.newestDrill?.rpoMs)],
    ]),
    each('repository_free_bytes', 'Room that is left.', ({ freeBytes }) => [[{}, freeBytes]]),
    {
      name: 'calculaud_backup_alert',
      help: 'What an operator has to look at.',
      samples: alerts
        .map(({ name, severity, repository }) => ({
          labels: { repository: repository ?? '', name, severity },
          value: 1,
        }))
        .filter(isFirst),
    },
    {
      name: 'calculaud_backup_report_timestamp_seconds',
      help: 'When the backup service last told anything.',
      samples: [{ labels: {}, value: at.getTime() / 1000 }],
    },
  ];
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .flatMap(({ name, help, samples }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} gauge`,
      ...samples.map(({ labels, value }) => `${name}${labelText(labels)} ${value}`),
    ])
    .map((line) => `${line}\n`)
    .join('');
}

/** A series may be there only once, also when two ages are wrong in the same way. */
function isFirst(sample: Sample, index: number, all: readonly Sample[]): boolean {
  return all.findIndex(({ labels }) => labelText(labels) === labelText(sample.labels)) === index;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function seconds(time: Date | undefined): number | undefined {
  return time && time.getTime() / 1000;
}

function fromMs(ms: number | null | undefined): number | undefined {
  return ms == null ? undefined : ms / 1000;
}
