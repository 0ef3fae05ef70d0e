/** Positions in the log of a server (LSN), its segments of 16 MiB, and the histories of its timelines. */

export const SEGMENT_BYTES = 16n * 1024n * 1024n;
const SEGMENTS_OF_A_LOG = 0x1_0000_0000n / SEGMENT_BYTES;

/** `16/B374D848` as a number. */
export function parseLsn(text: string): bigint {
  const [, high, low] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text) ?? [];
  if (high === undefined || low === undefined) throw new Error(`not a position in the log: ${text}`);
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}

/** The segment that holds the byte at this position. */
export function segmentAt(timeline: number, lsn: bigint): string {
  const number = lsn / SEGMENT_BYTES;
  return [BigInt(timeline), number / SEGMENTS_OF_A_LOG, number % SEGMENTS_OF_A_LOG]
    .map((part) => part.toString(16).padStart(8, '0').toUpperCase())
    .join('');
}

export interface SegmentPlace {
  readonly timeline: number;
  /** Of its first byte. */
  readonly start: bigint;
}

/** Undefined when this is no name of a segment. */
export function placeOf(segment: string): SegmentPlace | undefined {
  if (!/^[0-9A-F]{24}$/.test(segment)) return undefined;
  const part = (index: number) => BigInt(`0x${segment.slice(index * 8, index * 8 + 8)}`);
  if (part(2) >= SEGMENTS_OF_A_LOG) return undefined;
  return { timeline: Number(part(0)), start: (part(1) * SEGMENTS_OF_A_LOG + part(2)) * SEGMENT_BYTES };
}

export function startOfSegment(lsn: bigint): bigint {
  return lsn - (lsn % SEGMENT_BYTES);
}

/** Timelines that led to one, oldest first: each was left at `until`. */
export interface TimelineStep {
  readonly timeline: number;
  readonly until: bigint;
}

/** The content of a `.history` file. */
export function parseHistory(text: string): readonly TimelineStep[] {
  return text.split('\n').flatMap((line) => {
    const [, timeline, until] = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? [];
    return timeline && until ? [{ timeline: Number(timeline), until: parseLsn(until) }] : [];
  });
}

export function historyName(timeline: number): string {
  return `${timeline.toString(16).padStart(8, '0').toUpperCase()}.history`;
}
