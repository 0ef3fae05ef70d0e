import { CliError } from './cli-error.ts';
import { EXIT } from './exit-codes.ts';

/** Lets work be stopped by Ctrl-C or SIGTERM: it is told by the signal, ends in its own way, and the command with 130. */
export async function interruptible<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await work(interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted)
      throw new CliError(`Interrupted. ${what}`, '', EXIT.interrupted, { cause: error });
    throw error;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}
