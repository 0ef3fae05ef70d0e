import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { HttpClient } from '../../host/http-client.ts';
import { instancesOf } from '../../host/instances.ts';
import { type StandardInput, standardInput } from '../../host/standard-input.ts';
import { UnexpectedAnswer } from '../../journey/api.ts';
import { inWords } from '../../journey/journey-events.ts';
import {
  type ProbeEvent,
  type ProbeOrder,
  type ProbeSummary,
  probeOrder,
} from '../../journey/probe-events.ts';
import { probe } from '../../journey/prober.ts';
import { probeSideBySide } from '../../journey/side-by-side.ts';
import { tokenFrom } from '../../journey/token.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import type { Terminal } from '../../ui/terminal.ts';
import { asRefusal } from '../options.ts';

const named = z
  .string()
  .regex(/^\w+=./, 'is no name=value')
  .transform((text): readonly [string, string] => {
    const [, name = '', value = ''] = /^(\w+)=(.*)$/.exec(text) ?? [];
    return [name, value];
  });
const whole = z.coerce.number().int();
const options = z.object({
  target: z.array(named),
  rate: z.coerce.number().positive().max(2000).default(20),
  duration: z.coerce.number().positive().optional(),
  window: whole.min(20).default(200),
  uploadSeconds: z.coerce.number().min(0).default(8),
  connect: z.string().optional(),
  ca: z.string().optional(),
  sideBySide: z.boolean().default(false),
  warmUp: whole.min(0).default(300),
  managementPort: whole.min(1).max(65_535).optional(),
  management: z.array(named).default([]),
});

const TIMEOUT_MS = 10_000;
const MEMORY_EVERY_MS = 2000;

export const run: Run = async ({ terminal, config, options: typed }) => {
  const given = asRefusal(options, typed);
  const targets = targetsOf(given);
  const { client, http } = config();
  let input: StandardInput | undefined;
  const lines = () => (input ??= standardInput()).lines;
  const token = await tokenFrom(client.token, lines);
  const emit = (event: ProbeEvent) => {
    const { event: name, ...members } = event;
    terminal.emit(name, members);
    if (event.event === 'failure') {
      terminal.say(`${terminal.paint.red('failed')}  ${event.request}: ${event.what}`);
    }
  };
  const interruption = new AbortController();
  const stop = () => interruption.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const common = {
    prefix: http.prefix,
    token,
    run: randomBytes(6).toString('hex'),
    rate: given.rate,
    durationMs: given.duration === undefined ? undefined : given.duration * 1000,
    windowMs: given.window,
    timeoutMs: TIMEOUT_MS,
    signal: interruption.signal,
    orders: ordersOf(lines(), terminal),
    emit,
  };
  const senders = targets.map(({ url }) => new HttpClient({ url, connect: given.connect, ca: given.ca }));
  const plain = new HttpClient({ url: 'http://localhost' });
  try {
    const [first, second] = targets.map((target, index) => ({
      ...target,
      sender: senders[index] ?? plain,
      http2: target.url.startsWith('https:'),
    }));
    if (!first) throw new Error('a target is required');
    const summary =
      given.sideBySide && second
        ? await probeSideBySide(
            { ...first, name: 'old', management: managementOf('old', given.management) },
            { ...second, name: 'new', management: managementOf('new', given.management) },
            {
              ...common,
              warmUp: given.warmUp,
              managementPort: given.managementPort,
              memoryEveryMs: MEMORY_EVERY_MS,
              instancesOf,
              plain,
            },
          )
        : await probe(first, { ...common, uploadSeconds: given.uploadSeconds });
    terminal.say(inShort(summary, terminal));
    const { writes } = summary;
    if (!writes.verified) return EXIT.unverified;
    return summary.failed + writes.lost + writes.doubled > 0 ? EXIT.findings : EXIT.done;
  } catch (error) {
    if (!(error instanceof UnexpectedAnswer)) throw error;
    throw new CliError(
      `The prober cannot begin: ${inWords(error.failure)}`,
      'It needs a token of the role admin, and a system that works.',
      EXIT.refused,
    );
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await Promise.all([...senders, plain].map((sender) => sender.close()));
    input?.close();
  }
};

function targetsOf({ target, sideBySide }: z.output<typeof options>): { name: string; url: string }[] {
  const refuse = (message: string): never => {
    throw new CliError(`--target: ${message}`, 'See --help of the command.', EXIT.refused);
  };
  const targets = target.map(([name, url]) => ({ name, url }));
  for (const { url } of targets) {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) refuse(`${url} is no URL`);
  }
  if (!sideBySide)
    return targets.length === 1 ? targets : refuse('there is one, unless it goes side by side');
  const [old, fresh] = ['old', 'new'].map((name) => targets.find((known) => known.name === name));
  return old && fresh && targets.length === 2
    ? [old, fresh]
    : refuse('side by side there are old=… and new=…');
}

function managementOf(name: string, given: z.output<typeof options>['management']): string | undefined {
  return given.find(([known]) => known === name)?.[1];
}

async function* ordersOf(lines: AsyncIterator<string>, terminal: Terminal): AsyncGenerator<ProbeOrder> {
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const order = probeOrder.safeParse(jsonOf(line.value));
    if (order.success) yield order.data;
    else terminal.say(`This is no order and is ignored: ${line.value}`);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function inShort({ sent, failed, phases, writes, uploads }: ProbeSummary, { paint }: Terminal): string {
  const count = `${sent} requests, ${failed === 0 ? paint.green('none failed') : paint.red(`${failed} failed`)}`;
  const books = writes.verified
    ? `${writes.acknowledged} writes: ${writes.lost} lost, ${writes.doubled} doubled`
    : paint.red('nobody knows of the writes: the system did not answer at the end');
  const times = Object.entries(phases).map(
    ([phase, { p50_ms, p99_ms }]) => `  ${phase}: p50 ${p50_ms ?? '–'} ms, p99 ${p99_ms ?? '–'} ms`,
  );
  return [`${count}; ${books}; ${uploads.sent} uploads, ${uploads.failed} failed.`, ...times].join('\n');
}
