import { listApiTokens } from '@calculaud/server/identity/service';
import type { Run } from '../../command.ts';
import { withApplicationDatabase } from '../../host/database.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { table } from '../../ui/table.ts';

export const run: Run = async ({ terminal, config }) => {
  const tokens = await withApplicationDatabase(config(), terminal, listApiTokens);
  for (const token of tokens) terminal.emit('token', { ...token });
  if (tokens.length === 0) {
    terminal.say('There are no API tokens.');
    return EXIT.done;
  }
  terminal.print(
    table([
      ['ID', 'NAME', 'ROLE', 'STATE', 'CREATED', 'EXPIRES', 'LAST USED'],
      ...tokens.map(({ id, name, role, state, created_at, expires_at, last_used_at }) => [
        String(id),
        name,
        role,
        state,
        shown(created_at),
        shown(expires_at),
        shown(last_used_at),
      ]),
    ]),
  );
  return EXIT.done;
};

function shown(time: Date | null): string {
  return time ? `${time.toISOString().slice(0, 16)}Z` : '-';
}
