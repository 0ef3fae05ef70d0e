import type { ImageDefinition } from './images.ts';
import type { Source } from './source.ts';

export interface BuildRequest {
  readonly source: Source;
  readonly tag: string;
  /** `ARG=image`: another base than the Dockerfile names. */
  readonly bases: readonly string[];
  readonly cache: boolean;
  readonly platform?: string | undefined;
  /** A repository to push to, by digest and without a name. */
  readonly push?: string | undefined;
  /** Where buildx puts what it says of the image. */
  readonly metadataFile: string;
}

/** The arguments of `docker` for a build whose context is the current folder. */
export function buildArguments(image: ImageDefinition, request: BuildRequest): readonly string[] {
  const { source, bases, cache, platform } = request;
  const created = new Date(source.time * 1000).toISOString().replace('.000', '');
  const asked = { REVISION: source.revision, SOURCE_DATE_EPOCH: String(source.time) };
  const labels = { created, revision: source.revision, version: source.version };
  return [
    ...(needsBuildx(request) ? ['buildx', 'build'] : ['build']),
    '--file',
    image.root === '.' ? image.dockerfile : 'Dockerfile',
    ...(platform === undefined ? [] : ['--platform', platform]),
    ...(cache ? [] : ['--no-cache']),
    ...resultArguments(request),
    ...image.asks.flatMap((name) => ['--build-arg', `${name}=${asked[name]}`]),
    ...bases.flatMap((base) => ['--build-arg', base]),
    ...Object.entries(labels).flatMap(([name, value]) => [
      '--label',
      `org.opencontainers.image.${name}=${value}`,
    ]),
    '.',
  ];
}

export function needsBuildx({ platform, push }: Pick<BuildRequest, 'platform' | 'push'>): boolean {
  return platform !== undefined || push !== undefined;
}

/**
 * What becomes of the image. With buildx also the times that the builder adds are the commit's, so that the image is the
 * same, bit by bit, wherever it is built. SBOM and provenance stay outside: those who publish the image attach them.
 */
function resultArguments(request: BuildRequest): readonly string[] {
  const { tag, push, metadataFile } = request;
  if (!needsBuildx(request)) return ['--tag', tag];
  const output =
    push === undefined
      ? `type=docker,name=${tag}`
      : `type=image,name=${push},push-by-digest=true,name-canonical=true,push=true`;
  return [
    '--output',
    `${output},rewrite-timestamp=true`,
    '--provenance=false',
    '--sbom=false',
    '--metadata-file',
    metadataFile,
  ];
}
