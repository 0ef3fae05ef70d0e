import { describe, expect, test } from 'vitest';
import { buildArguments, type BuildRequest } from './build-arguments.ts';
import { IMAGES } from './images.ts';

const request: BuildRequest = {
  source: { version: '1.2.0', revision: 'a'.repeat(40), time: 1_700_000_000 },
  tag: 'calculaud:1.2.0',
  bases: [],
  cache: true,
  metadataFile: 'metadata.json',
};

describe.each(Object.values(IMAGES))('the image $name', (image) => {
  test.each([
    ['for this machine', request],
    ['for a registry', { ...request, platform: 'linux/arm64', push: 'registry.example.org/calculaud' }],
  ])('says its version, its commit and the time of that, built %s', (_what, asked) => {
    const said = buildArguments(image, asked);
    const labels = said.filter((_, index) => said[index - 1] === '--label');
    expect(labels.toSorted()).toEqual([
      'org.opencontainers.image.created=2023-11-14T22:13:20Z',
      `org.opencontainers.image.revision=${'a'.repeat(40)}`,
      'org.opencontainers.image.version=1.2.0',
    ]);
  });

  test('is pushed by its digest, without a name, and says which', () => {
    const said = buildArguments(image, { ...request, push: 'registry.example.org/calculaud' });
    expect(said).not.toContain('--tag');
    expect(said[said.indexOf('--output') + 1]).toMatch(
      /^type=image,name=registry\.example\.org\/calculaud,push-by-digest=true,name-canonical=true,push=true/,
    );
    expect(said[said.indexOf('--metadata-file') + 1]).toBe('metadata.json');
  });

  test('has a name only where it is not pushed', () => {
    const said = buildArguments(image, request);
    expect(said[said.indexOf('--tag') + 1]).toBe('calculaud:1.2.0');
    expect(said.join(' ')).not.toContain('push');
  });
});
