import { describe, expect, test } from 'vitest';
import { initialState, renderStack } from '../stack/render.ts';
import { offlineName, withOfflineNames } from './offline.ts';
import { environmentSchema } from './schema.ts';

const DIGEST = `@sha256:${'0123456789abcdef'.repeat(4)}`;

describe('the name of an image that was loaded from a file', () => {
  test.each([
    ['calculaud:1.0.0', 'calculaud:1.0.0'],
    [`postgres:18.6-trixie${DIGEST}`, 'postgres:18.6-trixie'],
    [`registry.example.org:5000/calculaud:1.0.0${DIGEST}`, 'registry.example.org:5000/calculaud:1.0.0'],
    [
      `registry.example.org:5000/calculaud${DIGEST}`,
      'registry.example.org:5000/calculaud:sha256-0123456789ab',
    ],
  ])('of %s is %s', (reference, name) => {
    expect(offlineName(reference)).toBe(name);
  });
});

test('no service of an environment without a network is made of an image that is named by its digest', () => {
  const config = environmentSchema.parse({
    name: 'site',
    kind: 'production',
    domain: 'site.example.org',
    image: `calculaud:1.0.0${DIGEST}`,
    hosts: [{ name: 'one', docker: 'unix:///var/run/docker.sock' }],
    gateway: { image: `gateway:1${DIGEST}` },
    database: {
      kind: 'bundled',
      image: `postgres:18${DIGEST}`,
      pooler: true,
      pooler_image: `pooler:1${DIGEST}`,
    },
    storage: { kind: 'bundled-s3', image: `s3:1${DIGEST}` },
    clamav: { image: `clamav:1${DIGEST}` },
  });
  const imagesOf = (of: typeof config) =>
    Object.values(renderStack(of, initialState(of)).file.services).map(({ image }) => image);
  expect(imagesOf(config).every((image) => image.endsWith(DIGEST))).toBe(true);
  expect(imagesOf(withOfflineNames(config)).filter((image) => image.includes('@'))).toEqual([]);
});
