import { startRefusal } from './start-refusal.ts';

/** Exit codes of the project (design.md): 1 is a fault of ours, 3 a start that was refused before anything changed. */
const INTERNAL = 1;
const REFUSED = 3;

/**
 * Runs a program until SIGTERM or SIGINT, then stops it; a second signal ends it at once. What the person who started
 * it can mend is told in words and without a stack.
 */
export async function runUntilSignal(start: () => Promise<{ stop(): Promise<void> }>): Promise<void> {
  const stopSignal = new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  try {
    const running = await start();
    await stopSignal;
    process.once('SIGTERM', () => process.exit(INTERNAL));
    process.once('SIGINT', () => process.exit(INTERNAL));
    await running.stop();
    process.exit(0);
  } catch (error) {
    const refusal = startRefusal(error);
    if (refusal !== undefined) {
      process.stderr.write(`\nCalculaud did not start.\n${refusal}\n`);
      process.exit(REFUSED);
    }
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(INTERNAL);
  }
}
