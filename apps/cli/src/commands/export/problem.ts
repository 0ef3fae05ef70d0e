import { BackupProblem } from '@calculaud/backup/repository/problem';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT, type ExitCode } from '../../ui/exit-codes.ts';

/** Runs work of the backup package, which says itself what it refuses, and what to do about it. */
export async function withProblemsTold<T>(
  work: () => Promise<T>,
  exitCode: ExitCode = EXIT.refused,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BackupProblem)) throw error;
    throw new CliError(error.message, '', error.kind === 'busy' ? EXIT.locked : exitCode, { cause: error });
  }
}
