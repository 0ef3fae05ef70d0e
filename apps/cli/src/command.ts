import type { Config } from '@calculaud/config/config';
import type { Environment } from '@calculaud/config/sources';
import type { Terminal } from './ui/terminal.ts';

/** What a command is given to work with. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** Read when it is asked for: help and wrong usage need no valid configuration. */
  readonly config: () => Config;
  /** The variables to read instead of the process's own; for tests. */
  readonly environment: Environment | undefined;
  /** As they were typed; the command parses them. */
  readonly options: unknown;
  readonly arguments: readonly string[];
}

/** Resolves with the exit code: one of EXIT, or that of a program which was run for somebody. */
export type Run = (context: CommandContext) => Promise<number>;

/** A command as help shows it. What it does is loaded only when it is called. */
export interface CommandDescription {
  /** With its arguments, such as `revoke <id>`. */
  readonly usage: string;
  readonly description: string;
  readonly options?: readonly OptionDescription[];
  /** Whole command lines, each with what it is for. */
  readonly examples: readonly (readonly [line: string, purpose: string])[];
  readonly load: () => Promise<{ readonly run: Run }>;
}

interface OptionDescription {
  /** Such as `--role <role>`. */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  readonly required?: boolean;
}

/** Commands that share their first word. */
export interface CommandGroup {
  readonly verb: string;
  readonly description: string;
  readonly commands: readonly CommandDescription[];
  /** What the first word does by itself, where it does something. */
  readonly own?: CommandDescription;
}
