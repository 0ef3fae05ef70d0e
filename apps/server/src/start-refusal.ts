import { maskPassword } from '@calculaud/config/mask';
import { ConfigError } from '@calculaud/config/problem';
import { connectionFailure } from '@calculaud/db/connection-failure';
import { DatabaseRefusal } from '@calculaud/db/refusal';
import { EmbeddedPostgresError } from '@calculaud/embedded/failure';

/** A start that fails for a reason that the person who typed it can mend. */
export class StartError extends Error {}

/** What happened and what to do, for the person who started the program; undefined: a fault of ours. */
export function startRefusal(error: unknown): string | undefined {
  if (error instanceof DatabaseRefusal) return `${error.message}\n${error.hint}`;
  if ([ConfigError, EmbeddedPostgresError, StartError].some((kind) => error instanceof kind)) {
    return error instanceof Error ? error.message : undefined;
  }
  const failure = connectionFailure(error);
  return failure === undefined
    ? undefined
    : `The database cannot be used: ${maskPassword(failure)}\n` +
        'Look at DATABASE_URL (`npx calculaud config show`) and whether the server runs.';
}
