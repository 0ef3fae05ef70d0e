import { z } from 'zod';

/** Where a program is to be killed: at a change of a file, because these are what outlives a process. */
export const killStep = z.strictObject({
  /** Which program: `main` is the command line, `backup` the service. */
  program: z.enum(['main', 'backup']),
  /** Before the file gets its name, is written or goes; or when that was done. */
  when: z.enum(['before', 'after']),
  /** Of the path that is changed. */
  path: z.string(),
  /** The first, the second … of such changes. */
  count: z.int().min(1),
});
export type KillStep = z.output<typeof killStep>;
