import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Holder } from './record.ts';

/** Somebody else is at work on the stack. */
export class LeaseHeld extends CliError {
  readonly holder: Holder;

  constructor(stack: string, holder: Holder) {
    super(
      `${holder.who} is at work on ${stack} since ${holder.since}: "${holder.command}" (last sign of life ${holder.renewed}).`,
      'Wait until that has ended. A command that was killed gives way within 10 s by itself.',
      EXIT.locked,
    );
    this.holder = holder;
  }
}

/** Somebody took over because this command had shown no sign of life; it must not touch anything any more. */
export class LeaseLost extends CliError {
  constructor(stack: string, holder: Holder | null) {
    super(
      holder
        ? `${holder.who} took over the work on ${stack} at ${holder.since} ("${holder.command}"), because nothing had been heard of this command.`
        : `The lock on ${stack} is gone: somebody took over the work and finished it.`,
      'Look at `calculaud status` and `calculaud history`.',
      EXIT.locked,
    );
  }
}

/** The store has not confirmed for a long time that the lease is still ours. */
export class LeaseUncertain extends CliError {
  constructor(stack: string, cause: unknown) {
    super(
      `The store of the Swarm has not answered for a long time, so it is not known whether ${stack} is still ours to change: ` +
        (cause instanceof Error ? cause.message : String(cause)),
      'Look at the managers (`docker node ls`), then run the command again: it goes on where this one stopped.',
      EXIT.interrupted,
      { cause },
    );
  }
}

/** Somebody stopped the command. What it had begun stays begun, so that a later command can go on. */
export class LeaseInterrupted extends CliError {
  constructor(stack: string, cause: unknown) {
    super(
      `Interrupted while at work on ${stack}.`,
      'The next command goes on where this one stopped: `calculaud deploy resume`, or `calculaud deploy abort` to undo it.',
      EXIT.interrupted,
      { cause },
    );
  }
}
