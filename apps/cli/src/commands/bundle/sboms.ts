import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Manifest } from '../../bundle/manifest.ts';
import { FOLDERS, isBundlePath } from '../../bundle/paths.ts';
import { isOfBuild, PRODUCT, subjectOf } from '../../bundle/sbom.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';

/** A list of the parts of an image, as a file that somebody named. */
export interface Sbom {
  readonly file: string;
  readonly content: Buffer;
}

/** All of them, under names of their own. */
export function readSboms(files: readonly string[]): readonly Sbom[] {
  const names = files.map((file) => basename(file));
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice === undefined) return files.map(readSbom);
  throw new CliError(
    `--sbom: two files are called ${twice}.`,
    'Give each a name of its own: it keeps it in the bundle.',
    EXIT.refused,
  );
}

function readSbom(file: string): Sbom {
  const refuse = (problem: string): never => {
    throw new CliError(`--sbom: ${file} ${problem}.`, 'Take sbom.cdx.json of the release.', EXIT.refused);
  };
  if (!isBundlePath(FOLDERS.sbom + basename(file))) return refuse('has a name that no bundle may hold');
  try {
    const content = readFileSync(file);
    return subjectOf(content.toString('utf8')) ? { file, content } : refuse('is no CycloneDX document');
  } catch (error) {
    if (error instanceof CliError) throw error;
    return refuse(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** One has to be about this very build of the product, and none about another one. */
export function refuseForeignSboms(sboms: readonly Sbom[], product: Manifest['product']): void {
  const subjects = sboms.flatMap(({ content }) => subjectOf(content.toString('utf8')) ?? []);
  const ofProduct = subjects.filter(({ name }) => name === PRODUCT);
  if (ofProduct.length > 0 && ofProduct.every((subject) => isOfBuild(subject, product))) return;
  const about = subjects.map(({ name, version, commit }) =>
    [name, version, commit && `(${commit})`].filter(Boolean).join(' '),
  );
  throw new CliError(
    `The lists of parts are of ${about.join(', ')}, but ${product.image} is ${product.version}, commit ${product.commit ?? 'unknown'}.`,
    'Take sbom.cdx.json of the same release.',
    EXIT.refused,
  );
}
