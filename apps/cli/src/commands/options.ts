import type { z } from 'zod';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';

/** The options of a command, parsed; what is wrong with them is told by their names. */
export function asRefusal<T extends z.ZodType>(schema: T, typed: unknown): z.output<T> {
  const parsed = schema.safeParse(typed);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `--${path.join('.')}: ${message}`);
  throw new CliError(problems.join('\n'), 'See --help of the command.', EXIT.refused);
}
