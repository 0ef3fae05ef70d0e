import { BackupProblem, type BackupProblemKind } from '@calculaud/backup/repository/problem';
import { maskPassword } from '@calculaud/config/mask';
import { ConfigError } from '@calculaud/config/problem';
import { connectionFailure } from '@calculaud/db/connection-failure';
import { DatabaseRefusal } from '@calculaud/db/refusal';
import { EmbeddedPostgresError } from '@calculaud/embedded/failure';
import { Problem } from '@calculaud/server/platform/problem';
import { DeploymentFailure } from './deployment/failure.ts';
import { DockerCommandError } from './host/docker-command.ts';
import { DockerError } from './host/docker-error.ts';
import { CliError } from './ui/cli-error.ts';
import { EXIT, type ExitCode } from './ui/exit-codes.ts';

/** What is lost or altered was found by looking; what could not be looked at is not known to be well. */
const BACKUP_EXITS: Readonly<Record<BackupProblemKind, ExitCode>> = {
  unavailable: EXIT.unverified,
  full: EXIT.refused,
  missing: EXIT.findings,
  corrupt: EXIT.findings,
  'wrong-key': EXIT.refused,
  foreign: EXIT.findings,
  'unknown-format': EXIT.refused,
  busy: EXIT.locked,
  impossible: EXIT.refused,
};

/** What an error means for the operator; errors that nobody foresaw keep their stack, because somebody has to find them. */
export function explainFailure(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof ConfigError) {
    return new CliError(
      error.message,
      'Run `calculaud config show` to see what is set and where.',
      EXIT.refused,
    );
  }
  if (error instanceof BackupProblem) {
    return new CliError(error.message, '', BACKUP_EXITS[error.kind]);
  }
  if (error instanceof DatabaseRefusal) return new CliError(error.message, error.hint, EXIT.refused);
  if (error instanceof EmbeddedPostgresError) {
    return new CliError(error.message, '', error.kind === 'locked' ? EXIT.locked : EXIT.refused);
  }
  if (error instanceof Problem && error.status < 500)
    return new CliError(`${error.message}.`, '', EXIT.refused);
  // Within a deployment it is what undoes it; here it is about the looking that comes before one.
  if (error instanceof DeploymentFailure) {
    return new CliError(
      `${error.message}\nNothing was changed.`,
      'Look at `calculaud status`.',
      EXIT.refused,
    );
  }
  // Whoever knows what was at stake says so himself; what is left is that Docker did not do what it was asked.
  if (error instanceof DockerError || error instanceof DockerCommandError) {
    return new CliError(
      error.message,
      'Look at `calculaud status`. Once Docker answers, the same command goes on where this one stopped.',
      EXIT.unverified,
    );
  }
  const connection = connectionFailure(error);
  if (connection) {
    return new CliError(
      `The database cannot be used: ${maskPassword(connection)}`,
      'Look at DATABASE_URL (`calculaud config show`) and whether the server runs.',
      EXIT.refused,
    );
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new CliError(
    `Internal error: ${maskPassword(text)}`,
    'Please report it with the text above.',
    EXIT.internalError,
  );
}
