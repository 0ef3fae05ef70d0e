import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Checkout } from './testing/checkout.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const REPOSITORY = 'ghcr.io/example/calculaud';
const IMAGE = `${REPOSITORY}@${DIGEST}`;

/** Names that can move, and what a careless change would hand over. */
const NAMES = [
  '',
  REPOSITORY,
  `${REPOSITORY}:1.0.0`,
  `${REPOSITORY}@sha256:abc`,
  `x ${IMAGE}`,
  `x\n${IMAGE}`,
];

let checkout: Checkout;

/** A registry that has this digest under every name; '': under none. */
function registryHas(digest: string): void {
  checkout.program('docker', `case "$*" in *inspect*) [ -n "${digest}" ] || exit 1; echo ${digest} ;; esac`);
}

describe('find-image.sh', () => {
  const find = () => checkout.run('find-image.sh', { REPOSITORY: 'ghcr.io/Example/calculaud' }).outputs;
  const tag = () => find()['tag'];

  beforeEach(() => {
    checkout = new Checkout();
    checkout.commit('before', { 'apps/server/src/api.ts': 'a', 'package.json': '{}' });
    registryHas('');
  });

  afterEach(() => {
    checkout.remove();
  });

  test('finds the image that was built of the same files', () => {
    registryHas(DIGEST);
    expect(find()).toEqual({
      repository: REPOSITORY,
      tag: expect.stringMatching(/^inputs-[0-9a-f]{40}$/),
      image: IMAGE,
    });
  });

  test('finds none when there is none', () => {
    expect(find()).toMatchObject({ image: '' });
  });

  test('takes files that do not go into the image for the same', () => {
    const before = tag();
    checkout.commit('change', { 'docs/a.md': 'b', 'apps/server/src/api.test.ts': 'b', 'e2e/a.ts': 'b' });
    expect(tag()).toBe(before);
  });

  test.each([
    ['a source', { 'apps/server/src/api.ts': 'b' }],
    ['a source that was removed', { 'apps/server/src/api.ts': null }],
    ['the version', { 'package.json': '{"version": "1.0.0"}' }],
  ])('tells another from it: %s', (_what, files) => {
    const before = tag();
    checkout.commit('change', files);
    expect(tag()).not.toBe(before);
  });

  test('tells a file that may be executed from one that may not', () => {
    const before = tag();
    checkout.git('update-index', '--chmod=+x', 'apps/server/src/api.ts');
    expect(tag()).not.toBe(before);
  });
});

describe('an image', () => {
  beforeAll(() => {
    checkout = new Checkout();
  });

  afterAll(() => {
    checkout.remove();
  });

  describe('is built for a platform by push-image.sh', () => {
    test('and pushed by its digest', () => {
      checkout.program('npm');
      expect(checkout.run('push-image.sh', { PLATFORM: 'linux/arm64', REPOSITORY }).calls).toEqual([
        `npm run image -- --platform linux/arm64 --push ${REPOSITORY}`,
      ]);
    });
  });

  describe('is put together by publish-image.sh', () => {
    const publish = () =>
      checkout.run('publish-image.sh', { REPOSITORY, TAG: 'inputs-1', DIGESTS: 'digests' });

    test('from those of all platforms, and from here on known by its digest', () => {
      checkout.write(`digests/${'1'.repeat(64)}`, '');
      checkout.write(`digests/${'2'.repeat(64)}`, '');
      registryHas(DIGEST);
      const { status, outputs, calls } = publish();
      expect({ status, outputs }).toEqual({ status: 0, outputs: { image: IMAGE, digest: DIGEST } });
      expect(calls[0]).toBe(
        `docker buildx imagetools create --tag ${REPOSITORY}:inputs-1 ${REPOSITORY}@sha256:${'1'.repeat(64)} ${REPOSITORY}@sha256:${'2'.repeat(64)}`,
      );
    });

    test('not when the registry does not have it then', () => {
      registryHas('');
      const { status, outputs } = publish();
      expect(status).not.toBe(0);
      expect(outputs).toEqual({});
    });

    test('not from anything but digests', () => {
      checkout.write('digests/latest', '');
      registryHas(DIGEST);
      const { status, calls } = publish();
      expect(status).not.toBe(0);
      expect(calls).toEqual([]);
    });
  });

  describe('gets another name by tag-image.sh', () => {
    test('and is the same under it', () => {
      registryHas(DIGEST);
      const { status, calls } = checkout.run('tag-image.sh', { IMAGE, TAG: '1.0.0' });
      expect(status).toBe(0);
      expect(calls[0]).toBe(`docker buildx imagetools create --tag ${REPOSITORY}:1.0.0 ${IMAGE}`);
    });

    test('which is told when it is not', () => {
      registryHas(`sha256:${'b'.repeat(64)}`);
      const { status, stderr } = checkout.run('tag-image.sh', { IMAGE, TAG: '1.0.0' });
      expect(status).toBe(1);
      expect(stderr).toContain(`not ${IMAGE}`);
    });
  });

  test('is signed, with its list of parts, by sign-image.sh', () => {
    checkout.program('cosign');
    expect(checkout.run('sign-image.sh', { IMAGE, SBOM: 'sbom.json' }).calls).toEqual([
      `cosign sign --yes ${IMAGE}`,
      `cosign attest --yes --type cyclonedx --predicate sbom.json ${IMAGE}`,
    ]);
  });

  describe('is verified by verify-image.sh', () => {
    const verify = (environment: Record<string, string> = {}) =>
      checkout.run('verify-image.sh', { IMAGE, ...environment });

    beforeEach(() => {
      checkout.program('cosign');
      checkout.program('gh');
    });

    test('by its signature and by its attestation, for this workflow of this repository on its main branch', () => {
      const { status, calls } = verify();
      expect(status).toBe(0);
      const workflow = 'Example/calculaud/.github/workflows/release.yml';
      expect(calls).toEqual([
        `cosign verify ${IMAGE} --certificate-identity https://github.com/${workflow}@refs/heads/main --certificate-oidc-issuer https://token.actions.githubusercontent.com`,
        `gh attestation verify oci://${IMAGE} --repo Example/calculaud --signer-workflow ${workflow} --source-ref refs/heads/main --deny-self-hosted-runners`,
      ]);
    });

    test.each(['cosign', 'gh'])('and refused when %s does', (program) => {
      checkout.program(program, 'exit 1');
      expect(verify().status).not.toBe(0);
    });

    test('by its signature alone where GitHub has no attestations', () => {
      checkout.program('gh', 'exit 1');
      expect(verify({ ATTESTATIONS: 'off' }).status).toBe(0);
      checkout.program('cosign', 'exit 1');
      expect(verify({ ATTESTATIONS: 'off' }).status).not.toBe(0);
    });
  });

  describe('is released by publish-release.sh', () => {
    test('under its version, with its signed list of parts, before anybody sees the release', () => {
      const statement = Buffer.from(JSON.stringify({ predicate: { bomFormat: 'CycloneDX' } })).toString(
        'base64',
      );
      checkout.program('cosign', `echo '{"payload":"${statement}"}'`);
      checkout.program('gh', 'case "$*" in *upload*) cat "$4" "$5" >&2 ;; esac');
      registryHas(DIGEST);
      const { status, calls, stderr } = checkout.run('publish-release.sh', { IMAGE, VERSION: '1.0.0' });
      expect(status).toBe(0);
      expect(calls.map((call) => call.split(' ').slice(0, 3).join(' '))).toEqual([
        'docker buildx imagetools',
        'docker buildx imagetools',
        expect.stringContaining('cosign verify-attestation'),
        'gh release upload',
        'gh release edit',
      ]);
      expect(calls.at(-1)).toBe('gh release edit v1.0.0 --repo Example/calculaud --draft=false');
      expect(stderr).toContain(IMAGE);
      expect(stderr).toContain('"bomFormat": "CycloneDX"');
    });

    test('not when the list of parts is not signed', () => {
      checkout.program('cosign', 'exit 1');
      checkout.program('gh');
      registryHas(DIGEST);
      const { status, calls } = checkout.run('publish-release.sh', { IMAGE, VERSION: '1.0.0' });
      expect(status).not.toBe(0);
      expect(calls.join('\n')).not.toContain('gh release');
    });
  });

  test.each(
    ['tag-image.sh', 'sign-image.sh', 'verify-image.sh', 'deploy.sh staging'].flatMap((script) =>
      NAMES.map((image) => ({ script, image })),
    ),
  )('is named by its digest: $script refuses "$image"', ({ script, image }) => {
    for (const program of ['docker', 'cosign', 'gh', 'npx']) checkout.program(program);
    const { status, calls } = checkout.run(script, { IMAGE: image, TAG: 'a', SBOM: 'a', CONFIGURATION: 'a' });
    expect(status).not.toBe(0);
    expect(calls).toEqual([]);
  });
});
