import pico from 'picocolors';

/** Where text goes and what kind of place it is. Tests give their own. */
export interface Streams {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Somebody can be asked: both standard input and standard error are terminals. */
  readonly interactive: boolean;
  readonly colours: boolean;
  /** Of the terminal that standard output is; undefined where it is none. */
  readonly size?: () => Size | undefined;
}

interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** How the lines of `--json` are to be read; raised when an event loses a member or changes its meaning. */
const EVENT_VERSION = 1;

/** How a command talks. People read standard error, or standard output where an answer was asked for; programs read events. */
export interface Terminal {
  readonly json: boolean;
  readonly interactive: boolean;
  readonly paint: ReturnType<typeof pico.createColors>;
  /** Undefined where nothing can be drawn: standard output is no terminal, or a program reads it. */
  readonly size: () => Size | undefined;
  /** For people: what happens, on standard error. */
  readonly say: (text: string) => void;
  /** For people: the answer that was asked for, on standard output; events stand in for it with `--json`. */
  readonly print: (text: string) => void;
  /** For programs: one line of JSON on standard output, with `--json` only. */
  readonly emit: (event: string, members: Readonly<Record<string, unknown>>) => void;
  /** The one thing that a script wants to catch in a variable, alone on standard output; within an event with `--json`. */
  readonly yieldValue: (
    event: string,
    members: Readonly<Record<string, unknown>>,
    value: Readonly<Record<string, string>>,
  ) => void;
}

export function terminalOf(streams: Streams, json: boolean): Terminal {
  const { stdout, stderr, interactive, colours } = streams;
  const emit: Terminal['emit'] = (event, members) => {
    if (json) stdout(`${JSON.stringify({ version: EVENT_VERSION, event, ...members })}\n`);
  };
  return {
    json,
    interactive: interactive && !json,
    paint: pico.createColors(colours),
    size: () => (json ? undefined : streams.size?.()),
    say: (text) => {
      stderr(`${text}\n`);
    },
    print: (text) => {
      if (!json) stdout(`${text}\n`);
    },
    emit,
    yieldValue: (event, members, value) => {
      if (json) emit(event, { ...members, ...value });
      else stdout(`${Object.values(value).join('\n')}\n`);
    },
  };
}

/** The terminal that this process runs in. */
export function systemStreams(): Streams {
  return {
    stdout: (text) => {
      process.stdout.write(text);
    },
    stderr: (text) => {
      process.stderr.write(text);
    },
    interactive: isTerminal(process.stdin) && isTerminal(process.stderr),
    colours: pico.isColorSupported && isTerminal(process.stdout) && isTerminal(process.stderr),
    size: () =>
      isTerminal(process.stdout) ? { columns: process.stdout.columns, rows: process.stdout.rows } : undefined,
  };
}

/** A pipe has no such member, whatever its type says. */
function isTerminal(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY ?? false;
}
