import type { KeyObject } from 'node:crypto';
import type { ByteSource } from './byte-source.ts';
import { type Entry, listEntries } from './entries.ts';
import { type BundleFile, type Manifest, readManifest } from './manifest.ts';
import { MANIFEST, SIGNATURE } from './paths.ts';
import { type BundleProblem, UnfitBundle } from './problem.ts';
import { fingerprint, isSignedBy } from './signature.ts';

/** A file as the manifest lists it, and where its content lies. */
export interface FoundFile extends BundleFile {
  readonly at: number;
}

/** A bundle whose manifest is signed, and which holds the files that the manifest lists; their contents are not read yet. */
export interface OpenBundle {
  readonly source: ByteSource;
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, FoundFile>;
}

/** It lists thousands of files; nothing larger is read into memory. */
const LARGEST_MANIFEST = 4 * 1024 * 1024;
const SIGNATURE_SIZE = 64;

/**
 * Opens a bundle. Nothing of the manifest is believed, and no content is read, before the signature over the manifest was
 * found to be right.
 */
export async function openBundle(source: ByteSource, key: KeyObject): Promise<OpenBundle> {
  const entries = await listEntries(source);
  const [manifestEntry, signatureEntry] = entries.slice(-2);
  if (manifestEntry?.name !== MANIFEST || signatureEntry?.name !== SIGNATURE) {
    throw new UnfitBundle([{ file: null, problem: `does not end with ${MANIFEST} and ${SIGNATURE}` }]);
  }
  if (manifestEntry.size > LARGEST_MANIFEST) throw unfit(MANIFEST, 'is too large');
  if (signatureEntry.size !== SIGNATURE_SIZE) throw unfit(SIGNATURE, 'is no Ed25519 signature');
  const bytes = await source.read(manifestEntry.at, manifestEntry.size);
  const signature = await source.read(signatureEntry.at, signatureEntry.size);
  if (!isSignedBy(key, bytes, signature)) throw unfit(MANIFEST, whyUnsigned(bytes, key));

  const read = readManifest(bytes.toString('utf8'));
  if (read.problems) {
    throw new UnfitBundle(read.problems.map((problem) => ({ file: MANIFEST, problem })));
  }
  const { manifest } = read;
  const problems = differences(manifest, entries);
  if (problems.length > 0) throw new UnfitBundle(problems);
  const places = new Map(entries.map(({ name, at }) => [name, at]));
  return {
    source,
    manifest,
    files: new Map(manifest.files.map((file) => [file.path, { ...file, at: places.get(file.path) ?? 0 }])),
  };
}

/** What the unproven manifest says may still help to find the right key. */
function whyUnsigned(bytes: Buffer, key: KeyObject): string {
  const given = fingerprint(key);
  const claimed = readManifest(bytes.toString('utf8')).manifest?.key;
  if (claimed === undefined || claimed === given) {
    return `was altered, or not signed with the key ${given}`;
  }
  return `is not signed with the key ${given}; it says that it was signed with ${claimed}`;
}

/** Between what is signed and what is there. */
function differences(manifest: Manifest, entries: readonly Entry[]): readonly BundleProblem[] {
  const there = new Map(entries.map((entry) => [entry.name, entry]));
  const seconds = Date.parse(manifest.created) / 1000;
  const listed = manifest.files.map(({ path }) => path);
  const problems = manifest.files.flatMap(({ path, size }): BundleProblem[] => {
    const entry = there.get(path);
    if (!entry) return [{ file: path, problem: 'is missing' }];
    if (entry.size === size) return [];
    return [{ file: path, problem: `has ${entry.size} bytes instead of ${size}` }];
  });
  const expectedOnes = new Set(listed);
  for (const { name } of entries.slice(0, -2)) {
    if (!expectedOnes.has(name)) problems.push({ file: name, problem: 'is in no list of the manifest' });
  }
  if (problems.length > 0) return problems;
  for (const [index, { name, seconds: time }] of entries.entries()) {
    if (time !== seconds) problems.push({ file: name, problem: 'carries another time than the bundle' });
    const expected = listed[index];
    if (expected !== undefined && expected !== name)
      problems.push({ file: name, problem: 'is not in its place' });
  }
  return problems;
}

function unfit(file: string, problem: string): UnfitBundle {
  return new UnfitBundle([{ file, problem }]);
}
