import { describeTarget, type Target } from '@calculaud/backup/engine/target';
import type { Config } from '@calculaud/config/config';
import { join, resolve } from 'node:path';
import { pgBackRest } from '../../host/backups.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT, type ExitCode } from '../../ui/exit-codes.ts';
import { interruptible } from '../../ui/interruption.ts';
import type { Terminal } from '../../ui/terminal.ts';

interface Wishes {
  readonly target: Target;
  readonly into: string | undefined;
  readonly from: string | undefined;
  readonly kit: string | undefined;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

/** Builds the cluster in a folder of its own and proves it; its server is somebody else's, who starts it there. */
export async function restoreByPgBackRest(
  terminal: Terminal,
  settings: Config,
  { target, into, from, kit, dryRun, yes }: Wishes,
): Promise<ExitCode> {
  if (into === undefined) {
    throw new CliError(
      'pgBackRest restores a server of its own, which is never replaced from here.',
      'Name a folder: --into <folder>, and start the server on it.',
      EXIT.refused,
    );
  }
  const directory = resolve(into);
  const cluster = join(directory, 'postgres');
  const engine = pgBackRest(settings, { kit, from });
  const line = dryRun ? terminal.print : terminal.say;
  line(`~ cluster in ${cluster}: as it was at ${describeTarget(target)}`);
  line(`= from ${engine.address}, by pgBackRest`);
  terminal.emit('plan', { target: describeTarget(target), repository: engine.address, cluster });
  if (dryRun) return EXIT.findings;
  await confirm(terminal, 'Restore it?', yes);
  const begin = performance.now();
  const restored = await interruptible(`${directory} was removed.`, async (signal) =>
    engine.restore({ target, directory, signal, onPhase: (phase) => terminal.say(`  ${phase} …`) }),
  );
  await restored.stop();
  const seconds = (performance.now() - begin) / 1000;
  const { backup, reached, lsn, lastCommit } = restored;
  terminal.say(`Restored in ${seconds.toFixed(1)} s from ${backup}: ${reached}.`);
  if (lastCommit !== null) terminal.say(`The last transaction in it: ${lastCommit}.`);
  terminal.say(
    `Start your server on ${cluster}. It archives nothing (archive_mode in postgresql.auto.conf) until you`,
  );
  terminal.say('decide that it takes the place of the one that it was.');
  terminal.emit('restored', { backup, reached, lsn, lastCommit, seconds, cluster });
  return EXIT.done;
}
