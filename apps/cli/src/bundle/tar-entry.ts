/**
 * The one way in which a bundle writes a tar: plain files, and nothing about them that could differ. Whatever else a tar can
 * hold (links, folders, long names, owners) is not understood, so that there is nothing in a bundle that is not checked.
 */

/** Headers take one; the content of a file is filled up with zeros to whole ones. */
export const BLOCK = 512;
/** Two blocks of zeros. */
export const TAR_END = Buffer.alloc(2 * BLOCK);
/** What eleven octal digits can say: 8 GiB less one. */
export const LARGEST_FILE = 0o77777777777;
const LONGEST_NAME = 100;

export interface TarFile {
  readonly name: string;
  readonly size: number;
  /** When it was made, in seconds; the same for all files of a bundle. */
  readonly seconds: number;
}

export function tarHeader({ name, size, seconds }: TarFile): Buffer {
  if (!/^[\x21-\x7e]+$/.test(name) || name.length > LONGEST_NAME) {
    throw new Error(`"${name}" cannot be the name of a file in a bundle`);
  }
  if (size > LARGEST_FILE) throw new Error(`${name} is too large for a bundle: ${size} bytes`);
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${octal(size, 11)}\0`, 124);
  header.write(`${octal(seconds, 11)}\0`, 136);
  // The sum is taken with spaces in its place.
  header.fill(' ', 148, 156);
  header.write('0', 156);
  header.write('ustar\0', 257);
  header.write('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return header;
}

/** The file that a header announces; undefined unless it is, to the last bit, what `tarHeader` writes. */
export function readTarHeader(header: Buffer): TarFile | undefined {
  const name = header.toString('latin1', 0, LONGEST_NAME).replace(/\0.*$/s, '');
  const [size, seconds] = [header.toString('latin1', 124, 135), header.toString('latin1', 136, 147)];
  if (![size, seconds].every((text) => /^[0-7]{11}$/.test(text)) || !/^[\x21-\x7e]+$/.test(name)) {
    return undefined;
  }
  const file = { name, size: Number.parseInt(size, 8), seconds: Number.parseInt(seconds, 8) };
  return tarHeader(file).equals(header) ? file : undefined;
}

/** How many zeros follow a content of this size. */
export function fillOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** A file as it goes into a tar. Its size goes ahead of it, so a content of another size is a failure. */
export async function* tarEntry(
  file: TarFile,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield tarHeader(file);
  let written = 0;
  for await (const chunk of content) {
    written += chunk.length;
    if (written > file.size) break;
    yield chunk;
  }
  if (written !== file.size) {
    throw new Error(
      `${file.name} was to have ${file.size} bytes, but has ${written > file.size ? 'more' : written}`,
    );
  }
  yield Buffer.alloc(fillOf(file.size));
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
