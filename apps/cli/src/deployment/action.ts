import { z } from 'zod';
import { COLOURS } from '../stack/release-state.ts';
import { releaseStateSchema } from './release-store.ts';

/** What a step of a deployment does; it stands in the plan as data, and whoever carries the plan out knows what it means. */

const colour = z.enum(COLOURS);
const ms = z.int().min(0);

const action = z.discriminatedUnion('kind', [
  /** Makes the stack what this state says, and waits until every service runs it. */
  z.strictObject({ kind: z.literal('release'), state: releaseStateSchema }),
  /** Runs the migrations of an image, in a container of its own. */
  z.strictObject({
    kind: z.literal('migrate'),
    image: z.string(),
    phase: z.enum(['expand', 'contract', 'all']),
  }),
  /** Hands today's haproxy.cfg to the gateway that runs. */
  z.strictObject({ kind: z.literal('reload') }),
  /** Waits until the colour is ready and passes a journey. */
  z.strictObject({ kind: z.literal('smoke'), colour, tools: z.string() }),
  /** Compares the new colour with the old one, before any user meets it. */
  z.strictObject({ kind: z.literal('gate'), old: colour, new: colour, tools: z.string() }),
  /** Everybody goes to this colour, from one moment to the next. */
  z.strictObject({
    kind: z.literal('switch'),
    to: colour,
    /** Users are suffering: nothing is measured or compared before it. */
    urgent: z.boolean().optional(),
  }),
  /** A share of the traffic goes to this colour, judged for a while. */
  z.strictObject({
    kind: z.literal('canary'),
    old: colour,
    new: colour,
    percent: z.int().min(1).max(99),
    ms,
    tools: z.string(),
  }),
  /** No share any more: everybody goes where most went. */
  z.strictObject({ kind: z.literal('clear-canary') }),
  /** Judges the colour that answers, for a while; with the old one beside it, where that still runs. */
  z.strictObject({ kind: z.literal('watch'), old: colour.nullable(), new: colour, ms, tools: z.string() }),
]);
export type Action = z.output<typeof action>;

/** The step as it stands in a plan: what is done, and what runs once it is done. */
export const stepSchema = z.strictObject({ action, release: releaseStateSchema.nullable() });
export type Step = z.output<typeof stepSchema>;
