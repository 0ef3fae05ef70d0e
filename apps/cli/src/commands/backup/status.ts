import { alertsIn, readStatus } from '@calculaud/backup/service/status';
import type { Run } from '../../command.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { inMegabytes } from '../../ui/progress.ts';
import { table } from '../../ui/table.ts';

export const run: Run = async ({ terminal, config }) => {
  const { backup } = config();
  const status = await readStatus(backup.workFolder);
  if (!status) {
    throw new CliError(
      `No backup service has told anything in ${backup.workFolder}.`,
      'Start the system (npm start); it backs up by itself, unless CALCULAUD_BACKUP is off.',
      EXIT.unverified,
    );
  }
  const now = new Date();
  const ago = (date: Date | string | null | undefined) => (date == null ? '-' : since(new Date(date), now));
  for (const repository of status.repositories) {
    const { address, trouble, newestDrill, newestBackup, logLagBytes, freeBytes } = repository;
    terminal.print(address);
    terminal.print(
      table([
        [
          '  Log complete',
          ago(repository.logComplete),
          logLagBytes ? `${inMegabytes(logLagBytes)} behind` : '',
        ],
        ['  Base backup', ago(repository.base), newestBackup ? inMegabytes(newestBackup.totalBytes) : ''],
        ['  Export', ago(repository.export), ''],
        ['  Verification', ago(repository.verification), ''],
        ['  Drill', ago(repository.drill), newestDrill ? `the newest: ${newestDrill.verdict}` : ''],
        ['  Files', ago(repository.attachedUntil), ''],
        ['  Room', freeBytes === undefined ? '-' : inMegabytes(freeBytes), ''],
      ]),
    );
    if (trouble !== null) terminal.print(`  ! ${trouble}`);
    for (const fault of repository.faults) terminal.print(`  ! the file ${fault}`);
    terminal.emit('repository', { ...repository });
  }
  terminal.print(
    table([
      ['TASK', 'SUCCEEDED', 'NEXT', ''],
      ...status.tasks.map(({ task, running, succeededAt, nextAt, failures }) => [
        task,
        ago(succeededAt),
        nextAt === null ? '-' : `${nextAt.slice(0, 16)}Z`,
        running ? 'runs now' : failures > 0 ? `failed ${failures} times` : '',
      ]),
    ]),
  );
  if (status.trouble !== null) terminal.print(`! The log of the database is not received: ${status.trouble}`);
  if (status.kitWaiting)
    terminal.print(
      '! The recovery kit waits on this machine: print it, then `calculaud recovery-kit confirm`.',
    );
  if (status.repositories.length === 1)
    terminal.print('! There is one repository. Add one on another machine: CALCULAUD_BACKUP_REPOSITORIES.');
  const alerts = alertsIn(status, now);
  for (const alert of alerts) {
    terminal.emit('alert', { ...alert });
    terminal.print(`! ${alert.severity} (${alert.name}): ${alert.words}`);
  }
  const { repositories: _, ...service } = status;
  terminal.emit('backup_status', { ...service, alerts: alerts.length });
  return alerts.length > 0 ? EXIT.findings : EXIT.done;
};

const UNITS = [
  { ms: 86_400_000, word: 'days' },
  { ms: 3_600_000, word: 'hours' },
  { ms: 60_000, word: 'minutes' },
] as const;

function since(date: Date, now: Date): string {
  const ms = now.getTime() - date.getTime();
  if (ms < 0) return `${date.toISOString().slice(0, 16)}Z, in the future`;
  const unit = UNITS.find((each) => ms >= 2 * each.ms);
  return unit ? `${Math.floor(ms / unit.ms)} ${unit.word} ago` : `${Math.round(ms / 1000)} s ago`;
}
