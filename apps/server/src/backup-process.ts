import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

export interface BackupProcess {
  /** Lets it bring what it has to where it belongs; at the latest after some seconds. */
  stop(): Promise<void>;
}

/** Tells the program that it ends with its standard input. */
export const WITH_PARENT = '--with-parent';
const STOP_MS = 15_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Exit code of a start that was refused: it would be refused again, and has said why. */
const REFUSED = 3;

/**
 * The backup service beside this process: receiving the log of the database and compressing it must not hold up answers.
 * It is started again when it dies; it ends by itself when we do, for its standard input ends then.
 */
export function startBackupProcess(say: (message: string) => void): BackupProcess {
  const ended = new AbortController();
  let child: ChildProcess | undefined;

  const goOn = async (): Promise<void> => {
    let waitMs = FIRST_PAUSE_MS;
    while (!ended.signal.aborted) {
      const begun = performance.now();
      child = spawn(process.execPath, [...process.execArgv, programBeside('backup'), WITH_PARENT], {
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      if (child.stderr) createInterface({ input: child.stderr }).on('line', say);
      const code = await endOf(child);
      if (ended.signal.aborted) return;
      if (code === REFUSED) {
        say('Nothing is backed up. Mend what is said above, and start again.');
        return;
      }
      if (performance.now() - begun > LONGEST_PAUSE_MS) waitMs = FIRST_PAUSE_MS;
      // Ctrl-C reaches it before it reaches us.
      await pause(waitMs, undefined, { signal: ended.signal }).catch(() => undefined);
      if (ended.signal.aborted) return;
      say(`The backup service ended (${code ?? 'killed'}); it is started again.`);
      waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS);
    }
  };
  const running = goOn();

  return {
    stop: async () => {
      ended.abort();
      child?.stdin?.end();
      const timer = setTimeout(() => child?.kill('SIGKILL'), STOP_MS);
      await running;
      clearTimeout(timer);
    },
  };
}

/** A program of the same app, as a source or as it was built, like the one that runs. */
function programBeside(name: string): string {
  const self = process.argv[1] ?? '';
  return join(dirname(self), `${name}${extname(self)}`);
}

async function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
}
