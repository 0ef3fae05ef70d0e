import { z } from 'zod';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';

const order = z.object({ token: z.string().min(1) });

/** From a setting, or else the first line of standard input (`{"token": …}`); never an argument, which everybody sees. */
export async function tokenFrom(
  setting: string | undefined,
  lines: () => AsyncIterator<string>,
): Promise<string> {
  if (setting !== undefined) return setting;
  const line = await lines().next();
  const parsed = line.done ? undefined : order.safeParse(jsonOf(line.value));
  if (parsed?.success) return parsed.data.token;
  throw new CliError(
    'There is no token to sign in with.',
    'Set CALCULAUD_API_TOKEN (or CALCULAUD_API_TOKEN_FILE) to one of the role admin, or write {"token":"…"} as the ' +
      'first line of standard input.',
    EXIT.refused,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
