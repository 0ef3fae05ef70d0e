import { z } from 'zod';
import { COLOURS, NOTHING_RELEASED, type ReleaseState } from '../stack/release-state.ts';

const releaseSchema = z.strictObject({ image: z.string(), replicas: z.number().int().min(0) });

/** The release state as it is kept with the record of a stack's deployments. */
export const releaseStateSchema: z.ZodType<ReleaseState> = z.strictObject({
  active: z.enum(COLOURS),
  blue: releaseSchema.nullable(),
  green: releaseSchema.nullable(),
  worker: z.strictObject({ image: z.string(), replicas: z.number().int().min(1).exactOptional() }).nullable(),
  migration: z.strictObject({ image: z.string() }).nullable(),
  gateway: z.strictObject({ image: z.string(), config: z.string() }).nullable(),
  secrets: z.record(z.string(), z.number().int()),
});

/** What runs, as the last finished step left it. */
export function releaseOf({ release }: { readonly release: ReleaseState | null }): ReleaseState {
  return release ?? NOTHING_RELEASED;
}
