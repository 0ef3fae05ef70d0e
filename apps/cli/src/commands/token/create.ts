import { createApiToken, listApiTokens } from '@calculaud/server/identity/service';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withApplicationDatabase } from '../../host/database.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { parseExpiry } from './expiry.ts';

const options = z.object({
  role: z.enum(['user', 'admin']),
  name: z.string(),
  expires: z.string().optional(),
});

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { role, name, expires } = options.parse(typed);
  const expiresAt = expires === undefined ? undefined : expiryOf(expires);
  return withApplicationDatabase(config(), terminal, async (db) => {
    const { id, token } = await createApiToken(db, { name, role, expiresAt });
    const created = (await listApiTokens(db)).find((listed) => listed.id === id);
    if (created?.state !== 'active') {
      throw new CliError(
        `The token ${id} was created, but the database does not show it as active.`,
        'Look at `calculaud token list`.',
        EXIT.unverified,
      );
    }
    terminal.say(
      `Created token ${id} "${created.name}" with the role ${role}, ` +
        `${expiresAt ? `until ${expiresAt.toISOString()}` : 'until it is revoked'}. It is shown only this once:`,
    );
    terminal.yieldValue(
      'token_created',
      { id, name: created.name, role, expires_at: created.expires_at },
      { token },
    );
    return EXIT.done;
  });
};

function expiryOf(text: string): Date {
  const expiry = parseExpiry(text, new Date());
  if (expiry) return expiry;
  throw new CliError(
    `"${text}" is no time at which a token could expire.`,
    'Give a span (90d, 12h), a day (2027-01-31), or an instant with its zone (2027-01-31T12:00:00Z).',
    EXIT.refused,
  );
}
