import { z } from 'zod';
import { CHANGELOG, DOCKER_MANIFEST, FOLDERS, isBundlePath, LICENCE } from './paths.ts';
import { LARGEST_FILE } from './tar-entry.ts';

/** What a bundle says of itself, signed. Raised when an older command could misunderstand a newer bundle. */
const SCHEMA = 1;

const MOST_FILES = 10_000;
const MOST_IMAGES = 50;

const sha256 = z.string().regex(/^[a-f0-9]{64}$/, 'expected 64 hexadecimal digits');
const digest = z.string().regex(/^sha256:[a-f0-9]{64}$/, 'expected sha256: and 64 hexadecimal digits');
const path = z.string().refine(isBundlePath, 'expected a name that a bundle may hold');
const word = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'expected printable characters without spaces');

const file = z.strictObject({ path, size: z.int().min(0).max(LARGEST_FILE), sha256 });
export type BundleFile = z.output<typeof file>;

const image = z.strictObject({
  /** By which the stack calls it; a loaded image has it as its tag. */
  name: word,
  /** The digest of its configuration, which names its layers and thereby all of it. */
  id: digest,
  /** Where its configuration lies in the bundle. */
  config: path,
  /** The lowest first; the digest is that of the unpacked layer. */
  layers: z.array(z.strictObject({ path, id: digest })).min(1),
});
export type BundleImage = z.output<typeof image>;

const manifest = z.strictObject({
  format: z.literal('calculaud-bundle'),
  schema: z.literal(SCHEMA),
  product: z.strictObject({ version: word, commit: word.nullable(), image: word }),
  /** All files of the bundle carry this time. */
  created: z.iso.datetime({ precision: 0 }),
  /** Such as linux/amd64. */
  platform: word,
  /** The fingerprint of the key that it was signed with. It proves nothing; it tells which key to look for. */
  key: sha256,
  images: z.array(image).min(1).max(MOST_IMAGES),
  /** In the order in which they lie in the bundle. */
  files: z.array(file).min(1).max(MOST_FILES),
});
export type Manifest = z.output<typeof manifest>;

/** For programs and for people with a pager: a file to a line. */
export function printManifest({ files, ...head }: Manifest): string {
  const lines = files.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
  return `${JSON.stringify(head, undefined, 2).slice(0, -2)},\n  "files": [\n${lines}\n  ]\n}\n`;
}

const anySchema = z.object({ format: z.literal('calculaud-bundle'), schema: z.int() });

/** The manifest, or everything that is wrong with it. */
export function readManifest(
  text: string,
):
  | { readonly manifest: Manifest; readonly problems?: never }
  | { readonly problems: readonly string[]; readonly manifest?: never } {
  const value = parsedJson(text);
  if (value === undefined) return { problems: ['is no JSON'] };
  const known = anySchema.safeParse(value);
  if (known.success && known.data.schema > SCHEMA) {
    return { problems: [`is of schema ${known.data.schema}, this command knows ${SCHEMA}: use a newer one`] };
  }
  const parsed = manifest.safeParse(value);
  if (!parsed.success) {
    return { problems: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) };
  }
  const problems = contradictions(parsed.data);
  return problems.length === 0 ? { manifest: parsed.data } : { problems };
}

/** What is wrong with a manifest whose parts are each fine, and what a complete bundle would have. */
function contradictions({ files, images, product }: Manifest): string[] {
  const paths = new Set(files.map((one) => one.path));
  const sizes = new Map(files.map((one) => [one.path, one.size]));
  const inFolder = (folder: string): boolean => files.some((one) => one.path.startsWith(folder));
  return [
    ...repeated(files.map((one) => one.path)).map((one) => `lists ${one} twice`),
    ...repeated(images.map(({ name }) => name)).map((name) => `lists the image ${name} twice`),
    ...(images.some(({ name }) => name === product.image)
      ? []
      : [`lacks the product's image ${product.image}`]),
    ...images.flatMap(({ name, config, layers }) =>
      [config, ...layers.map((layer) => layer.path)]
        .filter((one) => !paths.has(one) || !one.startsWith(FOLDERS.images))
        .map((one) => `lacks ${one}, a part of the image ${name}`),
    ),
    ...images
      .filter(({ config }) => (sizes.get(config) ?? 0) > LARGEST_CONFIG)
      .map(({ config }) => `lists ${config} as larger than the configuration of an image can be`),
    ...[LICENCE, CHANGELOG, DOCKER_MANIFEST].filter((one) => !paths.has(one)).map((one) => `lacks ${one}`),
    ...[FOLDERS.migrations, FOLDERS.docs, FOLDERS.sbom]
      .filter((folder) => !inFolder(folder))
      .map((folder) => `lacks anything in ${folder}`),
  ];
}

/** The configuration of an image is kept in memory. */
export const LARGEST_CONFIG = 1024 * 1024;

function repeated(names: readonly string[]): readonly string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) < index))];
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
