import { startRefusal } from './start-refusal.ts';

/** Exit codes of the project (design.md): 1 is a fault of ours, 3 a start that was refused before anything changed. */
const INTERNAL = 1;
const REFUSED = 3;

/** Ctrl-C reaches us twice, from the terminal and from npm, which hands it on: that is one wish and not two. */
const SAME_WISH_MS = 2000;

/**
 * Runs a program until SIGTERM or SIGINT, then stops it; a second signal, later, ends it at once. What the person who
 * started it can mend is told in words and without a stack. `deafToInterrupts`: Ctrl-C is a wish to our parent, who says when
 * it is our turn.
 */
export async function runUntilSignal(
  start: () => Promise<{ stop(): Promise<void> }>,
  { deafToInterrupts = false } = {},
): Promise<void> {
  const stopSignal = new Promise<void>((resolve) => {
    let first: number | undefined;
    const onSignal = () => {
      first ??= performance.now();
      resolve();
      if (performance.now() - first > SAME_WISH_MS) {
        process.exit(INTERNAL);
      }
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', deafToInterrupts ? () => undefined : onSignal);
  });
  try {
    const running = await start();
    await stopSignal;
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
