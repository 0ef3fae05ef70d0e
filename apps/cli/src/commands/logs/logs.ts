import { z } from 'zod';
import type { Run } from '../../command.ts';
import { environmentOptions } from '../../deployment/flags.ts';
import { withCluster } from '../../deployment/session.ts';
import { readLogs, shortName } from '../../logs/read.ts';
import { linePrinter } from '../../logs/print.ts';
import { parseSince } from '../../logs/since.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { untilStopped } from '../../ui/until-stopped.ts';
import { asRefusal } from '../options.ts';

const MOST = 10_000;

const options = z.object({
  ...environmentOptions,
  follow: z.boolean().default(false),
  since: z
    .string()
    .transform((text, context) => {
      const since = parseSince(text, new Date());
      if (since) return since;
      context.addIssue({ code: 'custom', message: `${text} is no time such as 10m, 2h or 2026-11-23T07:30` });
      return z.NEVER;
    })
    .optional(),
  tail: z.coerce.number('a number').int('a whole number').min(0).max(MOST).optional(),
  grep: z
    .string()
    .transform((text, context) => {
      try {
        return new RegExp(text);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        context.addIssue({ code: 'custom', message });
        return z.NEVER;
      }
    })
    .optional(),
});

export const run: Run = async ({ terminal, options: typed, arguments: [service] }) => {
  const wish = asRefusal(options, typed);
  const { follow, since, grep, tail = since || grep ? MOST : 100 } = wish;
  const isWanted = (name: string): boolean =>
    service === undefined || name === service || (service === 'api' && name.startsWith('api-'));
  return untilStopped(async (signal) =>
    withCluster(
      wish,
      async (cluster) => {
        const live = (await cluster.services()).map(({ Spec }) => shortName(cluster, Spec.Name)).toSorted();
        if (!live.some(isWanted)) {
          throw new CliError(
            live.length === 0
              ? `Nothing is deployed in ${cluster.config.name}, so there are no logs.`
              : `There is no service ${service} in ${cluster.config.name}.`,
            live.length === 0 ? 'Begin with `calculaud deploy`.' : `There are ${live.join(', ')}.`,
            EXIT.refused,
          );
        }
        const print = linePrinter(terminal, { hosts: cluster.config.hosts.length });
        let complete = true;
        const listener = {
          line: (line: Parameters<typeof print>[0]) => {
            if (!grep || grep.test(line.text)) print(line);
          },
          gap: (name: string, why: string) => {
            complete = false;
            terminal.say(terminal.paint.yellow(`${name}: a part of its log cannot be had: ${why}`));
            terminal.emit('log_gap', { service: name, why });
          },
        };
        await readLogs(cluster, isWanted, { follow, tail, since }, listener, signal);
        return complete ? EXIT.done : EXIT.unverified;
      },
      { tolerant: true },
    ),
  );
};
