import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { HttpClient } from '../../host/http-client.ts';
import { type StandardInput, standardInput } from '../../host/standard-input.ts';
import { runJourney } from '../../journey/journey.ts';
import { inWords, type StepResult } from '../../journey/journey-events.ts';
import { tokenFrom } from '../../journey/token.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import type { Terminal } from '../../ui/terminal.ts';
import { asRefusal } from '../options.ts';

const whole = z.coerce.number().int().min(0);
const options = z.object({
  url: z.url({ protocol: /^https?$/ }),
  connect: z.string().optional(),
  ca: z.string().optional(),
  rounds: whole.default(1),
  pause: whole.default(1000),
});

/** An export or an analysis of a big organisation takes seconds, nothing takes longer. */
const TIMEOUT_MS = 15_000;

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { url, connect, ca, rounds, pause: pauseMs } = asRefusal(options, typed);
  const { client, http } = config();
  let input: StandardInput | undefined;
  const lines = () => (input ??= standardInput()).lines;
  const token = await tokenFrom(client.token, lines);

  const interruption = new AbortController();
  const stop = () => interruption.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  if (rounds === 0) void whenAllIsRead(lines()).finally(stop);

  const sender = new HttpClient({ url, connect, ca });
  let failed = 0;
  try {
    for (let round = 1; !interruption.signal.aborted; round += 1) {
      const id = randomBytes(6).toString('hex');
      const result = await runJourney({
        sender,
        url,
        prefix: http.prefix,
        token,
        run: id,
        timeoutMs: TIMEOUT_MS,
        onStep: (step) => {
          terminal.say(lineOf(step, terminal));
          terminal.emit('step', { run: id, ...step });
        },
      });
      terminal.emit('journey', { ...result });
      terminal.say(`${result.ok ? 'Everything worked' : 'It failed'} (${Math.round(result.ms)} ms).`);
      if (!result.ok) failed += 1;
      if (round === rounds) break;
      await pause(pauseMs, undefined, { signal: interruption.signal }).catch(() => undefined);
    }
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await sender.close();
    input?.close();
  }
  if (failed > 0) return EXIT.findings;
  return rounds > 0 && interruption.signal.aborted ? EXIT.interrupted : EXIT.done;
};

async function whenAllIsRead(lines: AsyncIterator<string>): Promise<void> {
  while (!(await lines.next()).done);
}

function lineOf({ step, ms, failure }: StepResult, { paint }: Terminal): string {
  const line = `${failure ? paint.red('failed') : paint.green('ok    ')}  ${step.padEnd(18)} ${Math.round(ms)} ms`;
  return failure ? `${line}\n        ${inWords(failure)}` : line;
}
