import { z } from 'zod';

/** What went wrong in one step, as somebody needs it who has to find the cause. */
const stepFailure = z.object({
  request: z.string(),
  expected: z.string(),
  came: z.string(),
  status: z.int().nullable(),
  /** The beginning of the answer. */
  body: z.string().nullable(),
  /** Of the answer; it names the lines of the server's log. */
  request_id: z.string().nullable(),
});
export type StepFailure = z.output<typeof stepFailure>;

const stepResult = z.object({ step: z.string(), ms: z.number(), failure: stepFailure.nullable() });
export type StepResult = z.output<typeof stepResult>;

const journeyResult = z.object({
  /** Marks everything that it made. */
  run: z.string(),
  url: z.string(),
  ok: z.boolean(),
  ms: z.number(),
  steps: z.array(stepResult),
});
export type JourneyResult = z.output<typeof journeyResult>;

/** A line of `calculaud journey --json`: each step as it is done, and the whole at the end of each round. */
export const journeyEvent = z.discriminatedUnion('event', [
  z.object({ event: z.literal('step'), run: z.string(), ...stepResult.shape }),
  z.object({ event: z.literal('journey'), ...journeyResult.shape }),
]);
export type JourneyEvent = z.output<typeof journeyEvent>;

export function failureOf(result: JourneyResult): { step: string; failure: StepFailure } | null {
  for (const { step, failure } of result.steps) {
    if (failure) return { step, failure };
  }
  return null;
}

export function inWords({ request, expected, came, body, request_id }: StepFailure): string {
  const answer = body ? `: ${body}` : '';
  const id = request_id ? ` (request ${request_id})` : '';
  return `${request}: expected ${expected}, came ${came}${answer}${id}`;
}
