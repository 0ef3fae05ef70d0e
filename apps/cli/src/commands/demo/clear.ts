import { type Clearing, clearDemo, planClearing } from '@calculaud/server/demo/service';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withApplicationDatabase } from '../../host/database.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';

const options = z.object({
  plan: z.boolean().default(false),
  yes: z.boolean().default(false),
  edited: z.boolean().default(false),
});

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { plan: planOnly, yes, edited } = options.parse(typed);
  return withApplicationDatabase(config(), terminal, async (db) => {
    const plan = await planClearing(db, { edited });
    const line = planOnly ? terminal.print : terminal.say;
    for (const text of linesOf(plan)) line(text);
    if (!edited && plan.kept.some(({ entity }) => entity === 'purpose')) {
      line('  Purposes that somebody only edited go with --edited.');
    }
    terminal.emit('plan', { ...plan });
    if (isEmpty(plan)) {
      terminal.say('Nothing of the demonstration is to be removed.');
      return EXIT.done;
    }
    if (planOnly) return EXIT.findings;

    await confirm(terminal, 'Remove this for good?', yes);
    const cleared = await clearDemo(db, { edited });
    terminal.emit('demo_cleared', { ...cleared });

    if (!isEmpty(await planClearing(db, { edited }))) {
      throw new CliError(
        'The demonstration was removed, but the database still shows some of it.',
        'Look at `calculaud demo clear --plan`.',
        EXIT.unverified,
      );
    }
    terminal.say('Removed, and verified.');
    terminal.emit('verified', {});
    return EXIT.done;
  });
};

function linesOf({ going, kept }: Clearing): string[] {
  return [
    ...Object.entries(going)
      .filter(([, count]) => count > 0)
      .map(([entity, count]) => `- ${entity.replaceAll('_', ' ')}: ${count}`),
    ...kept.map(
      ({ entity, id, name, reason }) => `= ${entity.replaceAll('_', ' ')} ${id} "${name}" stays: ${reason}`,
    ),
  ];
}

function isEmpty({ going }: Clearing): boolean {
  return Object.values(going).every((count) => count === 0);
}
