import { explainConfig } from '@calculaud/config/load';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { table } from '../../ui/table.ts';

const options = z.object({ changed: z.boolean().default(false) });

export const run: Run = async ({ terminal, environment, options: typed }) => {
  const { changed } = options.parse(typed);
  const { settings, problems } = explainConfig(environment);
  const shown = settings.filter(({ origin }) => !changed || !origin.startsWith('default'));

  const { dim } = terminal.paint;
  terminal.print(
    table([
      ['SETTING', 'VALUE', 'FROM', 'MEANING'],
      ...shown.map(({ name, value, origin, description }) => [name, value ?? '-', origin, description]),
    ]),
  );
  for (const { name, value, origin, description } of shown) {
    terminal.emit('setting', { name, value, origin, description });
  }

  for (const { name, problem, expected } of problems) {
    terminal.say(`${terminal.paint.red(name)} ${problem}; ${dim('expected:')} ${expected}`);
    terminal.emit('problem', { name, problem, expected });
  }
  return problems.length > 0 ? EXIT.refused : EXIT.done;
};
