import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from './durable-file.ts';
import { formatLsn, parseLsn, placeOf, SEGMENT_BYTES, startOfSegment, type TimelineStep } from './lsn.ts';
import { PARTIAL } from './wal-file.ts';

/** Of each timeline, up to where its log was received: it is in the folder, or was taken from there. */
export type Progress = Map<number, bigint>;

const NOTE = 'received.json';
const noteText = z.record(z.string().regex(/^\d+$/), z.string());

/** What a receiver of this folder has got, also when it was killed at any moment. */
export async function readProgress(folder: string): Promise<Progress> {
  const progress = await readNote(folder);
  const names = await readdir(folder);
  const reached = ({ timeline }: { timeline: number }, lsn: bigint) => {
    if (lsn > (progress.get(timeline) ?? 0n)) progress.set(timeline, lsn);
  };
  // A segment may have been completed just before the note was to be written.
  for (const name of names) {
    const place = placeOf(name);
    if (place) reached(place, place.start + SEGMENT_BYTES);
  }
  for (const name of names.filter((each) => each.endsWith(PARTIAL))) {
    const place = placeOf(name.slice(0, -PARTIAL.length));
    if (!place) continue;
    const before = progress.get(place.timeline);
    // One that begins later does not continue what was received: between them is a hole.
    if (before !== undefined && place.start > before) continue;
    const { size } = await stat(join(folder, name));
    // A full one was about to be completed: it comes again, so that it is.
    reached(place, place.start + (BigInt(size) < SEGMENT_BYTES ? BigInt(size) : SEGMENT_BYTES - 1n));
  }
  return progress;
}

/** One that cannot be read is as good as none: then what is in the folder tells. */
async function readNote(folder: string): Promise<Progress> {
  try {
    const noted = noteText.parse(JSON.parse(await readFile(join(folder, NOTE), 'utf8')));
    return new Map(Object.entries(noted).map(([timeline, lsn]) => [Number(timeline), parseLsn(lsn)]));
  } catch {
    return new Map();
  }
}

/** Whole segments may leave the folder once they are noted. */
export async function writeProgress(folder: string, progress: Progress): Promise<void> {
  const noted = Object.fromEntries([...progress].map(([timeline, lsn]) => [timeline, formatLsn(lsn)]));
  await writeDurably(folder, NOTE, Buffer.from(JSON.stringify(noted)));
}

export interface WalStart {
  readonly timeline: number;
  /** Of a segment. */
  readonly lsn: bigint;
}

/**
 * Where to go on so that nothing is left out, for a server on `timeline`, to which `steps` led: on the newest of its timelines
 * that was received, or on the one after it where that one was left. Undefined when none was received.
 */
export function continuation(
  progress: Progress,
  { timeline, steps }: { readonly timeline: number; readonly steps: readonly TimelineStep[] },
): WalStart | undefined {
  const branches: readonly { timeline: number; until?: bigint }[] = [...steps, { timeline }];
  for (const [index, branch] of [...branches.entries()].toReversed()) {
    const received = progress.get(branch.timeline);
    if (received === undefined) continue;
    const after = branches[index + 1];
    // The server may have been put back to a moment before what was received, and have left the timeline there.
    if (after && branch.until !== undefined && received >= branch.until) {
      return { timeline: after.timeline, lsn: startOfSegment(branch.until) };
    }
    return { timeline: branch.timeline, lsn: startOfSegment(received) };
  }
  return undefined;
}
