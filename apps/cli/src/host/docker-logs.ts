/** One line that a container of a service wrote. */
export interface LogLine {
  /** When, to the nanosecond and in UTC: sorts as text. */
  readonly at: string;
  readonly stream: 'stdout' | 'stderr';
  readonly task: string;
  /** By the id that the Swarm gives its nodes. */
  readonly node: string;
  readonly text: string;
}

/** What the engine says in between: of whom it could not get anything. */
export interface LogComplaint {
  readonly complaint: string;
}

/** Before each piece: one byte for the stream, three of nothing, four for the length. */
const HEADER = 8;
const STDERR = 2;
const COMPLAINT = 3;

/** The lines of `GET /services/<id>/logs?details=1&timestamps=1`. */
export async function* linesOfLog(chunks: AsyncIterable<Buffer>): AsyncGenerator<LogLine | LogComplaint> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    while (rest.length >= from + HEADER) {
      const kind = rest.readUInt8(from);
      const end = from + HEADER + rest.readUInt32BE(from + 4);
      if (rest.length < end) break;
      const text = rest.toString('utf8', from + HEADER, end).replace(/\r?\n$/, '');
      from = end;
      yield kind === COMPLAINT ? { complaint: text } : lineOf(kind, text);
    }
    rest = rest.subarray(from);
  }
}

/** `<time> <details> <what was written>`; the details are a query of their own. */
function lineOf(kind: number, text: string): LogLine {
  const [, at = '', details = '', written = text] = /^(\S+) (\S+) ?(.*)$/s.exec(text) ?? [];
  const known = new Map(
    details.split(',').map((pair) => {
      const [name = '', value = ''] = pair.split('=').map(decodeURIComponent);
      return [name, value];
    }),
  );
  return {
    at,
    stream: kind === STDERR ? 'stderr' : 'stdout',
    task: known.get('com.docker.swarm.task.id') ?? '',
    node: known.get('com.docker.swarm.node.id') ?? '',
    text: written,
  };
}
