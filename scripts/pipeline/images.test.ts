import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { IMAGES } from '../image/images.ts';
import { ROOT } from '../workflow-files.ts';
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

const VERSIONS = 'apps/cli/src/stack/images.ts';

describe('find-image.sh', () => {
  const find = (name = 'app') =>
    checkout.run('find-image.sh', { NAME: name, REPOSITORY: 'ghcr.io/Example/calculaud' });
  const tags = (name = 'app') => find(name).outputs['tags'];

  beforeEach(() => {
    checkout = new Checkout();
    checkout.commit('before', {
      'apps/server/src/api.ts': 'a',
      'package.json': '{}',
      'deploy/gateway/Dockerfile': 'a',
      [VERSIONS]: "const VERSIONS = { gateway: '1', pooler: '2', storage: '3' } as const;",
    });
    registryHas('');
  });

  afterEach(() => {
    checkout.remove();
  });

  test('finds the image that was built of the same files', () => {
    registryHas(DIGEST);
    expect(find().outputs).toEqual({
      repository: REPOSITORY,
      tags: expect.stringMatching(/^inputs-[0-9a-f]{40}$/),
      image: IMAGE,
    });
  });

  test('finds none when there is none', () => {
    expect(find().outputs).toMatchObject({ image: '' });
  });

  test('takes files that do not go into the image for the same', () => {
    const before = tags();
    checkout.commit('change', {
      'docs/a.md': 'b',
      'apps/server/src/api.test.ts': 'b',
      'apps/server/src/testing/app.ts': 'b',
      'e2e/a.ts': 'b',
    });
    expect(tags()).toBe(before);
  });

  test.each([
    ['a source', { 'apps/server/src/api.ts': 'b' }],
    ['a source that was removed', { 'apps/server/src/api.ts': null }],
    ['the version', { 'package.json': '{"version": "1.0.0"}' }],
  ])('tells another from it: %s', (_what, files) => {
    const before = tags();
    checkout.commit('change', files);
    expect(tags()).not.toBe(before);
  });

  test('tells a file that may be executed from one that may not', () => {
    const before = tags();
    checkout.git('update-index', '--chmod=+x', 'apps/server/src/api.ts');
    expect(tags()).not.toBe(before);
  });

  test('keeps the other images of a stack beside it, under their own versions and by their own files', () => {
    const before = tags('gateway');
    expect(find('gateway').outputs).toEqual({
      repository: 'ghcr.io/example/calculaud-gateway',
      tags: expect.stringMatching(/^inputs-[0-9a-f]{40} 1$/),
      image: '',
    });
    checkout.commit('change', { 'apps/server/src/api.ts': 'b' });
    expect(tags('gateway')).toBe(before);
    checkout.commit('change', { 'deploy/gateway/Dockerfile': 'b' });
    expect(tags('gateway')).not.toBe(before);
  });

  test('never gives the version of such an image to other files', () => {
    checkout.program('docker', `case "$*" in *:1\\ *) echo ${DIGEST} ;; *) exit 1 ;; esac`);
    const { status, stderr, outputs } = find('gateway');
    expect({ status, outputs }).toEqual({ status: 1, outputs: {} });
    expect(stderr).toContain('calculaud-gateway:1 is there already');
  });

  test('refuses an image that nobody knows', () => {
    expect(find('other').status).toBe(1);
  });
});

describe('part-versions.sh', () => {
  let base: string;
  const check = (from = base) => checkout.run('part-versions.sh', { BASE: from });

  beforeEach(() => {
    checkout = new Checkout();
    base = checkout.commit('before', {
      'deploy/gateway/Dockerfile': 'a',
      'deploy/pooler/Dockerfile': 'a',
      [VERSIONS]: "const VERSIONS = { gateway: '1', pooler: '2', storage: '3' } as const;",
    });
  });

  afterEach(() => {
    checkout.remove();
  });

  test('asks for another version when the files of an image change', () => {
    checkout.commit('change', { 'deploy/gateway/Dockerfile': 'b' });
    const { status, stderr } = check();
    expect(status).toBe(1);
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining('raise the version of the gateway')]);
  });

  test('is content with one', () => {
    checkout.commit('change', {
      'deploy/gateway/Dockerfile': 'b',
      [VERSIONS]: "const VERSIONS = { gateway: '2', pooler: '2', storage: '3' } as const;",
    });
    expect(check().status).toBe(0);
  });

  test('has nothing to say to other changes, or when there is nothing to compare with', () => {
    checkout.commit('change', { 'apps/server/src/api.ts': 'b' });
    expect(check().status).toBe(0);
    checkout.commit('change', { 'deploy/gateway/Dockerfile': 'b' });
    expect(check('').status).toBe(0);
  });
});

describe('an image', () => {
  beforeAll(() => {
    checkout = new Checkout();
  });

  afterAll(() => {
    checkout.remove();
  });

  test('is built for a platform, and pushed by its digest, by push-image.sh', () => {
    checkout.program('npm');
    expect(
      checkout.run('push-image.sh', { NAME: 'gateway', PLATFORM: 'linux/arm64', REPOSITORY }).calls,
    ).toEqual([`npm run image -- gateway --platform linux/arm64 --push ${REPOSITORY}`]);
  });

  describe('is put together by publish-image.sh', () => {
    const publish = () =>
      checkout.run('publish-image.sh', { REPOSITORY, TAGS: 'inputs-1 2', BUILDS: 'builds' });

    beforeEach(() => {
      rmSync(join(checkout.path, 'builds'), { recursive: true, force: true });
      checkout.write(`builds/app-ubuntu-24.04/digests/${'1'.repeat(64)}`, '');
      checkout.write(`builds/app-ubuntu-24.04-arm/digests/${'2'.repeat(64)}`, '');
      checkout.write('builds/app-ubuntu-24.04/sbom.cdx.json', '{}');
      checkout.write('builds/app-ubuntu-24.04-arm/sbom.cdx.json', '{}');
      registryHas(DIGEST);
    });

    test('from those of all platforms, and from here on known by its digest', () => {
      const { status, outputs, calls } = publish();
      const sbom = 'builds/app-ubuntu-24.04/sbom.cdx.json';
      expect({ status, outputs }).toEqual({ status: 0, outputs: { image: IMAGE, digest: DIGEST, sbom } });
      const [arm, amd] = [`${REPOSITORY}@sha256:${'2'.repeat(64)}`, `${REPOSITORY}@sha256:${'1'.repeat(64)}`];
      expect(calls[0]).toBe(
        `docker buildx imagetools create --tag ${REPOSITORY}:2 --tag ${REPOSITORY}:inputs-1 ${arm} ${amd}`,
      );
    });

    test('not when the registry does not have it then', () => {
      registryHas('');
      const { status, outputs } = publish();
      expect(status).not.toBe(0);
      expect(outputs).toEqual({});
    });

    test('not from anything but digests', () => {
      checkout.write('builds/app-ubuntu-24.04/digests/latest', '');
      const { status, calls } = publish();
      expect(status).not.toBe(0);
      expect(calls).toEqual([]);
    });

    test('not without its list of parts', () => {
      rmSync(join(checkout.path, 'builds/app-ubuntu-24.04/sbom.cdx.json'));
      expect(publish().status).not.toBe(0);
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
      const workflow = 'Example/calculaud/.github/workflows/image.yml';
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

describe('the list of what goes into the image', () => {
  const listed = readFileSync(new URL('image-paths', import.meta.url), 'utf8')
    .trim()
    .split('\n');

  test('is that of the build', () => {
    expect(listed.filter((path) => !path.startsWith(':')).toSorted()).toEqual(
      [...IMAGES.app.paths].toSorted(),
    );
  });

  test('is what the builder is shown', () => {
    const shown = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
    const named = shown.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    // The cache is no file of the repository, and a builder always sees what it is not shown.
    expect(named.filter((path) => path !== '.npm-cache').toSorted()).toEqual(
      listed.filter((path) => !path.startsWith(':') && path !== '.dockerignore').toSorted(),
    );
    expect(shown).toContain('**/*.test.ts');
    expect(shown).toContain('**/testing');
  });
});

describe('the images beside the application', () => {
  const versions = readFileSync(join(ROOT, VERSIONS), 'utf8');
  const asked = [...versions.matchAll(/beside\(image, '(\w+)'\)/g)].map(([, part]) => part);

  test('are those that a stack asks for', () => {
    const parts = readFileSync(new URL('parts.sh', import.meta.url), 'utf8');
    expect(/PARTS='([^']+)'/.exec(parts)?.[1]?.split(' ')).toEqual(asked);
  });

  test('have versions that the scripts can read', () => {
    const own = new Checkout();
    try {
      own.commit('versions', { [VERSIONS]: versions });
      own.program('docker', 'exit 1');
      for (const name of asked) {
        const { outputs } = own.run('find-image.sh', { NAME: `${name}`, REPOSITORY });
        expect(outputs['tags']).toMatch(/^inputs-[0-9a-f]{40} \d+$/);
      }
    } finally {
      own.remove();
    }
  });
});
