/** What lies in a bundle, and under which names. */

/** The last two files: what the others are, and the signature over exactly these bytes. */
export const MANIFEST = 'manifest.json';
export const SIGNATURE = 'manifest.json.sig';

export const LICENCE = 'LICENSE';
export const CHANGELOG = 'CHANGELOG.md';
export const FOLDERS = {
  migrations: 'migrations/',
  docs: 'docs/',
  /** Lists of the parts of the images. */
  sbom: 'sbom/',
  /** What Docker needs to know the images again: together they are what `docker load` takes. */
  images: 'images/',
} as const;
/** Docker's own list of the images. */
export const DOCKER_MANIFEST = `${FOLDERS.images}manifest.json`;

const PART = '[A-Za-z0-9_][A-Za-z0-9._-]*';
const IN_FOLDER = new RegExp(`^(${Object.values(FOLDERS).join('|')})${PART}(/${PART})*$`);
const LONGEST = 100;

/** The names that the manifest may list: nothing that leads out of a folder, is hidden, or looks like an option. */
export function isBundlePath(path: string): boolean {
  return path.length <= LONGEST && (path === LICENCE || path === CHANGELOG || IN_FOLDER.test(path));
}
