import { z } from 'zod';
import { planSchema } from '../../apps/cli/src/deployment/journal.ts';

/** What a test tells a deployer to do, and how to die of it. */
export const orderSchema = z.object({
  who: z.string(),
  stack: z.string(),
  /** Left out: only what others left unfinished. */
  plan: planSchema.optional(),
  workMs: z.number().default(5),
  waitSeconds: z.number().default(0),
  /** What was left unfinished is undone instead of finished. */
  undoOthers: z.boolean().default(false),
  /** SIGKILL right after so many writes to the store. */
  dieAfterWrites: z.number().optional(),
  /** SIGSTOP before the world is changed, or SIGKILL in the middle of it. */
  pause: z.enum(['before work', 'die at work']).optional(),
});
export type Order = z.output<typeof orderSchema>;

/** What a deployer answers to an order. */
export const answerSchema = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('worked'), did: z.array(z.string()), ms: z.number() }),
  z.object({ outcome: z.literal('held'), by: z.string() }),
  z.object({ outcome: z.literal('lost') }),
  z.object({ outcome: z.literal('failed'), error: z.string() }),
]);
export type Answer = z.output<typeof answerSchema>;
