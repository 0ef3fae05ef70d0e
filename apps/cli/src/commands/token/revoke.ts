import { listApiTokens, revokeApiToken } from '@calculaud/server/identity/service';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withApplicationDatabase } from '../../host/database.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';

const options = z.object({ yes: z.boolean().default(false) });

export const run: Run = async ({ terminal, config, options: typed, arguments: [typedId = ''] }) => {
  const { yes } = options.parse(typed);
  const id = /^[1-9]\d{0,8}$/.test(typedId) ? Number(typedId) : undefined;
  if (id === undefined) {
    throw new CliError(`"${typedId}" is no number of a token.`, 'See `calculaud token list`.', EXIT.refused);
  }
  return withApplicationDatabase(config(), terminal, async (db) => {
    const find = async () => (await listApiTokens(db)).find((listed) => listed.id === id);
    const token = await find();
    if (!token) throw new CliError(`There is no token ${id}.`, 'See `calculaud token list`.', EXIT.refused);
    if (token.state === 'revoked') {
      terminal.say(`Token ${id} "${token.name}" is revoked already.`);
      terminal.emit('token_revoked', { id, revoked_at: token.revoked_at });
      return EXIT.done;
    }

    terminal.say(`- token ${id} "${token.name}" (${token.role}); who uses it is refused from now on`);
    await confirm(terminal, 'Revoke it for good?', yes);
    await revokeApiToken(db, id);

    const after = await find();
    if (after?.state !== 'revoked') {
      throw new CliError(
        `Token ${id} was revoked, but the database does not show it.`,
        'Look at `calculaud token list`.',
        EXIT.unverified,
      );
    }
    terminal.say('Revoked.');
    terminal.emit('token_revoked', { id, revoked_at: after.revoked_at });
    return EXIT.done;
  });
};
