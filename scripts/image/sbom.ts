import { createHash } from 'node:crypto';
import type { Part, Parts } from './parts.ts';
import type { Source } from './source.ts';

/** A list of an image's parts as CycloneDX 1.6, the same for the same image. */
export function cycloneDx(name: string, source: Source, parts: Parts): string {
  const components = distinct([
    ...parts.npm.map(npmComponent),
    ...parts.packages.map((part) => debianComponent(part, parts)),
    ...(parts.node === undefined ? [] : [nodeComponent(parts.node)]),
  ]);
  const root = `pkg:generic/${name}@${source.version}?vcs_revision=${source.revision}`;
  const content = {
    metadata: {
      timestamp: new Date(source.time * 1000).toISOString(),
      component: { type: 'container', 'bom-ref': root, name, version: source.version, purl: root },
    },
    components,
    dependencies: [{ ref: root, dependsOn: components.map((component) => component['bom-ref']) }],
  };
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify(content))}`;
  return `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber, version: 1, ...content }, null, 2)}\n`;
}

interface Component {
  readonly type: 'library' | 'application';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly { readonly expression: string }[];
}

function npmComponent({ name, version, licence }: Part): Component {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const licenses = licence === undefined ? {} : { licenses: [{ expression: licence }] };
  return { type: 'library', 'bom-ref': purl, name, version, purl, ...licenses };
}

function debianComponent({ name, version }: Part, { debian, architecture }: Parts): Component {
  const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-${debian}`;
  return { type: 'library', 'bom-ref': purl, name, version, purl };
}

function nodeComponent(version: string): Component {
  const purl = `pkg:generic/node@${version}`;
  return { type: 'application', 'bom-ref': purl, name: 'node', version, purl };
}

/** A package of npm may be there more than once. */
function distinct(components: readonly Component[]): readonly Component[] {
  return [...new Map(components.map((component) => [component['bom-ref'], component])).values()].toSorted(
    (a, b) => (a.purl < b.purl ? -1 : 1),
  );
}

/** A name-based UUID (version 5 by its form), so that two builds of one commit list their parts under one number. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest('hex');
  return [
    bytes.slice(0, 8),
    bytes.slice(8, 12),
    `5${bytes.slice(13, 16)}`,
    `8${bytes.slice(17, 20)}`,
    bytes.slice(20, 32),
  ].join('-');
}
