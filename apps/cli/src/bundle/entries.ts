import type { ByteSource } from './byte-source.ts';
import { isBundlePath, MANIFEST, SIGNATURE } from './paths.ts';
import { UnfitBundle } from './problem.ts';
import { BLOCK, fillOf, readTarHeader, TAR_END, type TarFile } from './tar-entry.ts';

/** A file of a bundle and where its content begins. */
export interface Entry extends TarFile {
  readonly at: number;
}

/** More than any bundle has; each costs some memory. */
const MOST_ENTRIES = 20_000;

/**
 * Goes from header to header and reads nothing else. What it finds is not proven by anything yet; but it knows that every
 * byte of the bundle is either the content of a file or exactly what has to stand around it.
 */
export async function listEntries(source: ByteSource): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  const names = new Set<string>();
  let position = 0;
  for (;;) {
    const header = await source.read(position, BLOCK);
    if (header.length < BLOCK) throw broken(null, `is cut off after ${place(entries)}`);
    if (header.every((byte) => byte === 0)) break;
    const file = readTarHeader(header);
    if (!file) throw broken(null, `has ${kindOf(header)} at byte ${position}, after ${place(entries)}`);
    const { name, size } = file;
    if (!isBundlePath(name) && name !== MANIFEST && name !== SIGNATURE) {
      throw broken(null, `holds ${JSON.stringify(name)}, a name that no bundle may hold`);
    }
    if (names.has(name)) throw broken(name, 'is there twice');
    names.add(name);
    const at = position + BLOCK;
    const end = at + size + fillOf(size);
    if (end > source.size) {
      throw broken(name, `is cut off: ${Math.max(0, source.size - at)} of its ${size} bytes are there`);
    }
    const fill = await source.read(at + size, fillOf(size));
    if (fill.some((byte) => byte !== 0))
      throw broken(name, 'is followed by something that does not belong to it');
    entries.push({ ...file, at });
    if (entries.length > MOST_ENTRIES) throw broken(null, `has more than ${MOST_ENTRIES} files`);
    position = end;
  }
  const end = await source.read(position, TAR_END.length);
  if (end.length < TAR_END.length) throw broken(null, 'is cut off at its very end');
  if (!end.equals(TAR_END) || source.size > position + TAR_END.length) {
    throw broken(null, 'goes on after its end');
  }
  return entries;
}

const KINDS: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '5': 'a folder',
  '6': 'a pipe',
};

/** What a tar would have there instead of a file of ours. */
function kindOf(header: Buffer): string {
  const isTar = header.toString('latin1', 257, 262) === 'ustar';
  return (isTar ? KINDS[header.toString('latin1', 156, 157)] : undefined) ?? 'something that no bundle has';
}

function place(entries: readonly Entry[]): string {
  return entries.at(-1)?.name ?? 'nothing';
}

function broken(file: string | null, problem: string): UnfitBundle {
  return new UnfitBundle([{ file, problem }]);
}
