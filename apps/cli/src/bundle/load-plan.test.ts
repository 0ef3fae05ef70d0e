import { describe, expect, test } from 'vitest';
import { type FoundHost, planLoad } from './load-plan.ts';
import type { Manifest } from './manifest.ts';

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const image = (name: string, digit: string): Manifest['images'][number] => ({
  name,
  id: digest(digit),
  config: `images/${digit}.json`,
  layers: [{ path: `images/${digit}.tar`, id: digest('f') }],
});
const manifest: Manifest = {
  format: 'calculaud-bundle',
  schema: 1,
  product: { version: '1.0.0', commit: null, image: 'calculaud:1.0.0' },
  created: '2026-03-01T12:00:00Z',
  platform: 'linux/amd64',
  key: '0'.repeat(64),
  images: [image('calculaud:1.0.0', '1'), image('postgres:18', '2'), image('clamav:1', '3')],
  files: [],
};
const wanted = ['calculaud:1.0.0', 'postgres:18'].map((name) => ({ name, reference: name }));

function host(
  name: string,
  images: Readonly<Record<string, string>>,
  more: Partial<FoundHost> = {},
): FoundHost {
  const found: FoundHost['images'] = new Map(
    Object.entries(images).map(([image, id]) => [image, { Id: id, RootFS: { Layers: [digest('f')] } }]),
  );
  return { host: name, platform: 'linux/amd64', engine: { DriverStatus: [] }, images: found, ...more };
}

function changes(...hosts: FoundHost[]) {
  const plan = planLoad(manifest, wanted, hosts);
  expect(plan.problems).toEqual([]);
  return plan.hosts.map(({ host, steps }) => [
    host,
    ...steps.map(({ image, change }) => `${change} ${image.name}`),
  ]);
}

describe('what has to be loaded', () => {
  test('is what the environment is made of and a host lacks, host by host', () => {
    expect(changes(host('one', {}), host('two', { 'postgres:18': digest('2') }))).toEqual([
      ['one', 'add calculaud:1.0.0', 'add postgres:18'],
      ['two', 'add calculaud:1.0.0', 'none postgres:18'],
    ]);
  });

  test('takes a name from an image that is another one', () => {
    expect(changes(host('one', { 'calculaud:1.0.0': digest('9'), 'postgres:18': digest('2') }))).toEqual([
      ['one', 'replace calculaud:1.0.0', 'none postgres:18'],
    ]);
  });

  test('is told by the layers where engines give images names of their own', () => {
    const containerd = { engine: { DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']] } };
    const images = { 'calculaud:1.0.0': digest('9'), 'postgres:18': digest('8') };
    expect(changes(host('one', images, containerd))).toEqual([
      ['one', 'none calculaud:1.0.0', 'none postgres:18'],
    ]);
    const others = new Map([['calculaud:1.0.0', { Id: digest('9'), RootFS: { Layers: [digest('e')] } }]]);
    expect(changes(host('one', {}, { ...containerd, images: others }))).toEqual([
      ['one', 'replace calculaud:1.0.0', 'add postgres:18'],
    ]);
  });
});

describe('nothing is loaded', () => {
  test('where the processors are others', () => {
    expect(planLoad(manifest, wanted, [host('one', {}, { platform: 'linux/arm64' })]).problems).toEqual([
      'Host one is linux/arm64, but the images are for linux/amd64.',
    ]);
  });

  test('when an image is neither in the bundle nor on every host', () => {
    const more = [...wanted, { name: 's3:1', reference: `s3:1@${digest('4')}` }];
    const there = { 's3:1': digest('4') };
    expect(planLoad(manifest, more, [host('one', there), host('two', {})]).problems).toEqual([
      `The bundle lacks s3:1 (s3:1@${digest('4')} in calculaud.yml), and so does two.`,
    ]);
    expect(planLoad(manifest, more, [host('one', there)]).problems).toEqual([]);
  });
});
