/** Often enough for a watcher that waits for a quarter of an hour. */
const EVERY_MS = 5 * 60_000;
const LIMIT_MS = 10_000;

export interface DeadMansSwitchOptions {
  /** Its owner alarms when nobody asks for this address any more. */
  readonly url: string;
  readonly isWell: () => boolean | Promise<boolean>;
  /** Told once when it cannot be reached, and once when it can again. */
  readonly say: (message: string) => void;
  readonly everyMs?: number;
}

/**
 * Asks for an address outside of this machine as long as all is well. The alarm of a machine that is gone can only come from
 * somebody else, who misses it. The address is a secret: whoever knows it can keep the alarm silent.
 */
export function startDeadMansSwitch({ url, isWell, say, everyMs = EVERY_MS }: DeadMansSwitchOptions): {
  stop(): Promise<void>;
} {
  const ended = new AbortController();
  let unreachable = false;
  const turn = async () => {
    if (!(await isWell())) return;
    const failure = await ask(url, ended.signal);
    if (ended.signal.aborted) return;
    if (failure !== undefined && !unreachable) {
      say(`Backup: the dead man's switch (CALCULAUD_BACKUP_PING_URL) cannot be reached: ${failure}.`);
    }
    if (failure === undefined && unreachable) say("Backup: the dead man's switch can be reached again.");
    unreachable = failure !== undefined;
  };
  let running = Promise.resolve();
  const begin = () => {
    running = running.then(turn);
  };
  begin();
  const timer = setInterval(begin, everyMs);
  return {
    stop: async () => {
      clearInterval(timer);
      ended.abort();
      await running;
    },
  };
}

/** Why it did not answer well; never with the address, nor with what came back. */
async function ask(url: string, ended: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      redirect: 'error',
      signal: AbortSignal.any([ended, AbortSignal.timeout(LIMIT_MS)]),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `it answered ${response.status}`;
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError') return 'no answer within 10 s';
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
    return cause && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'the request failed';
  }
}
