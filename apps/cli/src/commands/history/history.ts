import { z } from 'zod';
import type { Run } from '../../command.ts';
import { environmentOptions } from '../../deployment/flags.ts';
import { readLedger } from '../../deployment/ledger-store.ts';
import { openRegister } from '../../deployment/register.ts';
import { withCluster } from '../../deployment/session.ts';
import { stackName } from '../../stack/names.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { table } from '../../ui/table.ts';
import { asRefusal } from '../options.ts';
import { describeEntry } from './entry.ts';
import { HEADINGS, rowOf } from './row.ts';

const wholeNumber = z.coerce.number('a whole number').int('a whole number').min(0);
const options = z.object({ ...environmentOptions, limit: wholeNumber.default(20) });

export const run: Run = async ({ terminal, options: typed, arguments: [number] }) => {
  const { limit, ...choice } = asRefusal(options, typed);
  const only =
    number === undefined ? undefined : asRefusal(z.object({ number: wholeNumber }), { number }).number;
  const { ledger, stack } = await withCluster(
    choice,
    async ({ config, manager }) => {
      const name = stackName(config);
      return { ledger: await readLedger(openRegister(manager.api, name)), stack: name };
    },
    { tolerant: true },
  );
  const { entries, head, problems } = ledger;
  const one = entries.find(({ n }) => n === only);
  if (only !== undefined && !one) {
    throw new CliError(
      `There is no entry ${only} in the ledger of ${stack}.`,
      entries.length === 0 ? 'Nothing was ever deployed.' : `The last one is ${entries.at(-1)?.n}.`,
      EXIT.refused,
    );
  }
  const shown = one ? [one] : limit === 0 ? entries : entries.slice(-limit);
  for (const entry of shown) terminal.emit('entry', { ...entry });
  if (one) terminal.print(describeEntry(one));
  else if (shown.length > 0) terminal.print(table([HEADINGS, ...shown.map(rowOf)]));
  else terminal.say(`Nothing was ever deployed as ${stack}.`);

  terminal.emit('ledger', { stack, entries: entries.length, head, problems });
  for (const { text } of problems) terminal.say(terminal.paint.red(text));
  if (problems.length > 0) return EXIT.findings;
  if (entries.length > 0) terminal.say(`All ${entries.length} entries are proven by ${head}.`);
  return EXIT.done;
};
