import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { buildArguments, needsBuildx } from './image/build-arguments.ts';
import { withContext } from './image/context.ts';
import { type ImageDefinition, IMAGES } from './image/images.ts';
import { fillNpmCache } from './image/npm-cache.ts';
import { partsOf } from './image/parts.ts';
import { output, show } from './image/programs.ts';
import { cycloneDx } from './image/sbom.ts';
import { compressedSize } from './image/size.ts';
import { sourceOf } from './image/source.ts';

/** Builds an image of the product, lists its parts, and says what came out (docs/operations/image.md). */

const USAGE = `npm run image -- [app|gateway|pooler] [options]

  --tag NAME           what to call it; calculaud:<version> and the like when left out
  --base ARG=IMAGE     another base than the Dockerfile names: NODE_IMAGE=registry.example/node:24
  --npm-cache FOLDER   take the packages of npm from this folder, which is filled first as far as it must; the build itself
                       then needs no network
  --no-cache           build every step anew
  --out FOLDER         where the list of parts (sbom.cdx.json) and the digest go; dist/image when left out
  --platform PLATFORM  linux/arm64 or the like; needs buildx
  --push REPOSITORY    push it by its digest, without a name; needs buildx
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tag: { type: 'string' },
    base: { type: 'string', multiple: true, default: [] },
    'npm-cache': { type: 'string' },
    'no-cache': { type: 'boolean', default: false },
    out: { type: 'string', default: 'dist/image' },
    platform: { type: 'string' },
    push: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const image = definitionOf(positionals);
if (values.help || image === undefined) {
  process.stdout.write(USAGE);
  process.exit(values.help ? 0 : 3);
}

const source = sourceOf(image);
const folder = resolve(values.out);
const metadataFile = join(folder, 'metadata.json');
mkdirSync(folder, { recursive: true });
const request = {
  source,
  tag: values.tag ?? `${image.name}:${source.version}`,
  bases: values.base,
  cache: !values['no-cache'],
  platform: values.platform,
  push: values.push,
  metadataFile,
};

const npmCache = values['npm-cache'] === undefined ? undefined : resolve(values['npm-cache']);
if (npmCache !== undefined) fillNpmCache(npmCache);
withContext(image, npmCache, (context) => show('docker', buildArguments(image, request), { cwd: context }));

const built = values.push === undefined ? request.tag : `${values.push}@${pushedDigest()}`;
if (needsBuildx(request) && values.push !== undefined) show('docker', ['pull', '--quiet', built]);
const sbom = join(folder, image.name === 'calculaud' ? 'sbom.cdx.json' : `${image.name}.cdx.json`);
writeFileSync(sbom, cycloneDx(image.name, source, partsOf(built)));
const id = output('docker', ['image', 'inspect', '--format', '{{.Id}}', built]).trim();
const megabytes = ((await compressedSize(built)) / 1e6).toFixed(1);
process.stdout.write(`
Image      ${built}
Id         ${id}
Commit     ${source.revision}
Size       ${megabytes} MB compressed
Parts      ${sbom}
`);

function definitionOf(names: readonly string[]): ImageDefinition | undefined {
  const [name = 'app', ...more] = names;
  const found = Object.entries(IMAGES).find(([known]) => known === name);
  return more.length === 0 ? found?.[1] : undefined;
}

/** The digest that the registry knows the image by; a file of that name tells it to those who join the platforms. */
function pushedDigest(): string {
  const metadata = z
    .object({ 'containerimage.digest': z.string().regex(/^sha256:[0-9a-f]{64}$/) })
    .parse(JSON.parse(readFileSync(metadataFile, 'utf8')));
  const digest = metadata['containerimage.digest'];
  const digests = join(folder, 'digests');
  mkdirSync(digests, { recursive: true });
  writeFileSync(join(digests, digest.replace('sha256:', '')), '');
  return digest;
}
