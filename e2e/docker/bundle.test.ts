import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readLedger } from '../../apps/cli/src/deployment/ledger-store.ts';
import { openRegister } from '../../apps/cli/src/deployment/register.ts';
import { openDocker } from '../../apps/cli/src/host/docker.ts';
import { parseDockerAddress } from '../../apps/cli/src/host/docker-address.ts';
import { calculaud, type Outcome } from '../../apps/cli/src/testing/command-line.ts';
import { repository } from '../system.ts';
import { baseImage } from './base-images/build.ts';
import { type DockerDaemon, dockerDaemon } from './daemon.ts';
import { docker } from './docker-command.ts';
import { type Site, siteOf, startSite } from './site.ts';

/** Bundles with small images: made where all images are, loaded where nothing is and no network reaches. */

const APP = 'calculaud-bundle-test:1.0.0';
const GATEWAY = 'calculaud-bundle-test-gateway:1';
const BUNDLE = 'calculaud-1.0.0.bundle.tar';
const MANUAL = readFileSync(join(repository, 'docs/operations/offline.md'), 'utf8');

const folder = mkdtempSync(join(tmpdir(), 'calculaud-bundle-'));
let maker: Site;
let daemon: DockerDaemon;
let site: Site;
beforeAll(async () => {
  daemon = await dockerDaemon();
  maker = siteOf(daemon);
  site = await startSite();
  await buildImages();
  const key = await maker.calculaud('bundle key release', folder);
  const sbom = { bomFormat: 'CycloneDX', metadata: { component: { name: 'calculaud', version: '1.0.0' } } };
  writeFileSync(join(folder, 'sbom.cdx.json'), JSON.stringify(sbom));
  writeFileSync(
    join(folder, 'calculaud.site.yml'),
    stringify({
      name: 'site',
      kind: 'production',
      domain: 'site.example.org',
      image: APP,
      gateway: { image: GATEWAY },
      database: { kind: 'external' },
      hosts: [{ name: 'one', docker: site.host }],
      offline: { key: key.stdout.trim() },
    }),
  );
});
afterAll(async () => {
  await docker(maker.host, 'rmi', '--force', APP, GATEWAY);
  await site.stop();
  await daemon.stop();
  rmSync(folder, { recursive: true });
});

/** What a bundle takes out of the product's image, on a base that the other image has in common with it. */
async function buildImages(): Promise<void> {
  const context = join(folder, 'context');
  mkdirSync(join(context, 'app/docs/operations'), { recursive: true });
  mkdirSync(join(context, 'app/packages/db/migrations'), { recursive: true });
  for (const [file, content] of [
    ['Dockerfile', `FROM ${baseImage('debian')}\nCOPY app /app\nCMD ["sh"]\n`],
    ['app/LICENSE', 'Apache-2.0\n'],
    ['app/CHANGELOG.md', '# 1.0.0\n'],
    ['app/docs/operations/README.md', '# Operating\n'],
    ['app/packages/db/migrations/0001_tables.sql', 'create table purpose ();\n'],
  ] as const) {
    writeFileSync(join(context, file), content);
  }
  const labels = { title: 'Calculaud', version: '1.0.0', revision: 'abc' };
  const label = Object.entries(labels).flatMap(([name, value]) => [
    '--label',
    `org.opencontainers.image.${name}=${value}`,
  ]);
  await docker(maker.host, 'build', '--quiet', '--tag', APP, ...label, context);
  await docker(maker.host, 'tag', baseImage('debian'), GATEWAY);
}

/** In the process of the test, which starts sooner. */
async function create(
  change: Readonly<Record<string, string>> = {},
  ...more: readonly string[]
): Promise<Outcome> {
  const files = {
    file: 'calculaud.site.yml',
    key: 'release.key',
    sbom: 'sbom.cdx.json',
    out: BUNDLE,
    ...change,
  };
  const options = Object.entries(files).flatMap(([option, file]) => [`--${option}`, join(folder, file)]);
  return calculaud(['bundle', 'create', ...options, '--docker', maker.host, ...more]);
}

async function idOf({ host }: Site, image: string): Promise<string> {
  return docker(host, 'image', 'inspect', '--format', '{{.Id}}', image).catch(() => 'none');
}

async function forget(): Promise<void> {
  const ids = await docker(site.host, 'image', 'ls', '--all', '--quiet');
  if (ids) await docker(site.host, 'rmi', '--force', ...new Set(ids.split('\n')));
}

/** The names that begin so, and nothing of the images that have others. */
async function forgetAt({ host }: Site, registry: string): Promise<void> {
  const list = await docker(
    host,
    'image',
    'ls',
    '--digests',
    '--format',
    '{{.Repository}} {{.Tag}} {{.Digest}}',
  );
  for (const line of list.split('\n').filter((one) => one.startsWith(`${registry}/`))) {
    const [name = '', tag, digest = ''] = line.split(' ');
    if (tag !== '<none>') await docker(host, 'rmi', `${name}:${tag}`);
    if (digest !== '<none>') await docker(host, 'rmi', `${name}@${digest}`).catch(() => undefined);
  }
}

async function altered(name: string, position: number): Promise<void> {
  copyFileSync(join(folder, BUNDLE), join(folder, name));
  const file = await open(join(folder, name), 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
  await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, position);
  await file.close();
}

test('the site has no way out, and nothing in its Docker', async () => {
  const { stdout } = await site.run(['ip', 'route', 'show', 'default'], folder);
  expect(stdout).toBe('');
  expect(await docker(site.host, 'image', 'ls', '--all', '--quiet')).toBe('');
});

describe('a bundle is made', () => {
  test('not at all by --dry-run, which says what would be in it', async () => {
    const { exitCode, stdout } = await create({}, '--dry-run');
    expect({ exitCode, stdout }).toEqual({
      exitCode: 2,
      stdout: expect.stringMatching(
        /^\+ calculaud-bundle-test:1.0.0 {2}[\d.]+ MB\n\+ calculaud-bundle-test-gateway:1 /,
      ),
    });
    expect(readdirSync(folder)).not.toContain(BUNDLE);
  });

  test('not when it is interrupted, and nothing half is left', async () => {
    const line = `bundle create --to site --key release.key --sbom sbom.cdx.json --docker ${maker.host}`;
    const { exitCode, stderr } = await maker.calculaud(line, folder, {
      end: { when: (said) => said.includes('reading'), signal: 'SIGINT' },
    });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 130,
      stderr: expect.stringContaining('Interrupted. Nothing was written.'),
    });
    expect(readdirSync(folder).filter((name) => name.includes('bundle'))).toEqual([]);
    expect(await docker(maker.host, 'ps', '--all', '--quiet', '--filter', `ancestor=${APP}`)).toBe('');
  });

  test('not on a disk that gets full, and nothing half is left', async () => {
    mkdirSync(join(folder, 'small'));
    const line = 'bundle create --to site --key release.key --sbom sbom.cdx.json --out small/bundle.tar';
    const script = 'mount -t tmpfs -o size=20m tmpfs small; "$@"; echo "exit code $?"; ls -A small';
    const command = [...maker.command(line), '--docker', maker.host];
    const { stdout, stderr } = await maker.run(
      ['unshare', '--mount', 'sh', '-c', script, 'sh', ...command],
      folder,
    );
    expect(stdout).toMatch(/exit code 3\n$/);
    expect(stderr).toContain('small/bundle.tar cannot be written: the disk is full');
  });

  test('from the images that the environment names, and no layer is in it twice', async () => {
    const { exitCode, stderr } = await create();
    expect({ exitCode, stderr }).toEqual({
      exitCode: 0,
      stderr: expect.stringMatching(`Wrote and verified .*${BUNDLE}`),
    });
    const { stdout } = await maker.run(['tar', '-tf', BUNDLE], folder);
    expect(stdout.split('\n').filter((name) => /^images\/.*(layer\.tar|blobs)/.test(name))).toHaveLength(2);
    expect(stdout).toMatch(
      /^LICENSE\nCHANGELOG.md\nmigrations\/0001_tables.sql\ndocs\/README.md\nsbom\/sbom.cdx.json\n/,
    );
    expect(stdout).toMatch(/\nmanifest.json\nmanifest.json.sig\n$/);
  });

  test('over nothing that is there', async () => {
    const { exitCode, stderr } = await create();
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringContaining(`${BUNDLE} is there already`),
    });
  });

  test('not with the list of parts of another version', async () => {
    const other = {
      bomFormat: 'CycloneDX',
      metadata: { component: { name: 'calculaud', version: '1.0.1' } },
    };
    writeFileSync(join(folder, 'other.json'), JSON.stringify(other));
    const { exitCode, stderr } = await create({ out: 'other.tar' }, '--sbom', join(folder, 'other.json'));
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringContaining(
        'of calculaud 1.0.0, calculaud 1.0.1, but calculaud-bundle-test:1.0.0 is 1.0.0',
      ),
    });
  });

  test('not from an image that is none of Calculaud', async () => {
    const yml = readFileSync(join(folder, 'calculaud.site.yml'), 'utf8');
    writeFileSync(join(folder, 'calculaud.yml'), yml.replace(`image: ${APP}`, `image: ${GATEWAY}`));
    const { exitCode, stderr } = await create({ file: 'calculaud.yml', out: 'other.tar' });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringContaining(`${GATEWAY} is no image of Calculaud`),
    });
    expect(readdirSync(folder)).not.toContain('other.tar');
  });
});

describe('at a site without a network', () => {
  test.each([
    [
      'in a layer',
      0.5,
      /^! images\/\S+ \(part of calculaud-bundle-test:1.0.0, calculaud-bundle-test-gateway:1\) was/,
    ],
    ['in the licence', 0, /^! the bundle has something that no bundle has at byte 0/],
    ['at its end', 1, /^! the bundle goes on after its end|^! manifest.json.sig|^! the bundle has/],
  ])('a bundle that was altered %s is refused, and nothing of it is loaded', async (_, part, said) => {
    const size = readFileSync(join(folder, BUNDLE)).length;
    await altered('altered.tar', Math.min(size - 1, Math.floor(size * part)));
    expect(await site.calculaud('bundle verify altered.tar --to site', folder)).toMatchObject({
      exitCode: 2,
      stdout: expect.stringMatching(said),
    });
    expect(await site.calculaud('bundle load altered.tar --to site --yes', folder)).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('Nothing was changed.'),
    });
    expect(await docker(site.host, 'image', 'ls', '--all', '--quiet')).toBe('');
  });

  test('a bundle that somebody else signed is refused', async () => {
    await maker.calculaud('bundle key somebody', folder);
    const { exitCode, stdout } = await site.calculaud(
      `bundle load ${BUNDLE} --to site --key somebody.pub`,
      folder,
    );
    expect({ exitCode, stdout }).toEqual({
      exitCode: 3,
      stdout: expect.stringContaining('is not signed with the key'),
    });
  });

  test('it is verified, and --dry-run loads nothing', async () => {
    expect(await site.calculaud(`bundle verify ${BUNDLE} --to site`, folder)).toMatchObject({ exitCode: 0 });
    const { exitCode, stdout } = await site.calculaud(`bundle load ${BUNDLE} --to site --dry-run`, folder);
    expect(exitCode).toBe(2);
    expect(stdout).toContain(`+ one  ${APP}  sha256:`);
    expect(await docker(site.host, 'image', 'ls', '--all', '--quiet')).toBe('');
  });

  test('a load that is killed is typed again, and does the rest', async () => {
    const killed = await site.calculaud(`bundle load ${BUNDLE} --to site`, folder, {
      end: { when: (said) => said.includes('one gets'), signal: 'SIGKILL' },
    });
    expect(killed.exitCode).toBe(null);
    // The lease of the dead one is taken over after ten seconds of silence.
    const again = await site.calculaud(`bundle load ${BUNDLE} --to site --wait 30`, folder);
    expect({ exitCode: again.exitCode, stderr: again.stderr }).toEqual({
      exitCode: 0,
      stderr: expect.stringContaining('Loaded, and every host confirms it.'),
    });
    for (const image of [APP, GATEWAY]) expect(await idOf(site, image)).toBe(await idOf(maker, image));
  });

  test('what was loaded starts', async () => {
    const argv = ['docker', 'run', '--rm', '--network=none', APP, 'cat', '/app/CHANGELOG.md'];
    expect(await site.run(argv, folder)).toMatchObject({ exitCode: 0, stdout: '# 1.0.0\n' });
  });

  test('loaded again it has nothing to do', async () => {
    const { exitCode, stdout } = await site.calculaud(`bundle load ${BUNDLE} --to site`, folder);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringContaining(`= one  ${GATEWAY}`),
    });
  });

  test('a name that another image has is taken from it only when somebody says so', async () => {
    await docker(site.host, 'tag', GATEWAY, APP);
    const asked = await site.calculaud(`bundle load ${BUNDLE} --to site`, folder);
    expect(asked).toMatchObject({
      exitCode: 3,
      stdout: expect.stringMatching(/~ one {2}calculaud-bundle-test:1.0.0 .*another image has this name now/),
      stderr: expect.stringContaining('Add --yes'),
    });
    expect(await idOf(site, APP)).toBe(await idOf(site, GATEWAY));
    expect(await site.calculaud(`bundle load ${BUNDLE} --to site --yes`, folder)).toMatchObject({
      exitCode: 0,
    });
    expect(await idOf(site, APP)).toBe(await idOf(maker, APP));
  });

  test('every load that changed something stands in the ledger', async () => {
    const engine = await openDocker(parseDockerAddress(site.host));
    const { entries, problems } = await readLedger(openRegister(engine.api, 'calculaud-site'));
    await engine.close();
    expect(problems).toEqual([]);
    expect(entries).toMatchObject([
      { command: 'bundle load 1.0.0', outcome: 'done', figures: { version: '1.0.0', commit: 'abc' } },
      { command: 'bundle load 1.0.0', outcome: 'done', figures: { loaded: 1 } },
    ]);
  });

  test('it can be opened by hand, as the manual says', async () => {
    await forget();
    const [byHand = ''] = [...MANUAL.matchAll(/```sh\n(.*?)```/gs)].map(([, lines]) => lines);
    const hand = mkdtempSync(join(folder, 'hand-'));
    const environment = { bundle: join(folder, BUNDLE), key: join(folder, 'release.pub') };
    const { exitCode, stdout, stderr } = await site.run(['sh', '-euc', byHand], hand, { environment });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('Signature Verified Successfully');
    for (const image of [APP, GATEWAY]) expect(await idOf(site, image)).toBe(await idOf(maker, image));
    writeFileSync(join(hand, 'CHANGELOG.md'), '# 6.6.6\n');
    const check = byHand.split('\n').find((line) => line.includes('sha256sum')) ?? '';
    expect(await site.run(['sh', '-euc', check], hand, { environment })).toMatchObject({
      exitCode: 1,
      stdout: 'CHANGELOG.md: FAILED\n',
    });
  });
});

test('images that are named by their digests are fetched by these, and called by their tags at the site', async () => {
  const registry = await maker.startRegistry();
  const at = `127.0.0.1:${registry.port}`;
  const names = { image: `${at}/calculaud:1.0.0`, gateway: `${at}/gateway` };
  try {
    const push = async (image: string, name: string): Promise<string> => {
      await docker(maker.host, 'tag', image, name);
      await docker(maker.host, 'push', '--quiet', name);
      const known = await docker(maker.host, 'image', 'inspect', '--format', '{{json .RepoDigests}}', name);
      await forgetAt(maker, at);
      return new RegExp(`${at}/[^@"]+@(sha256:\\w{64})`).exec(known)?.[1] ?? '';
    };
    const digests = {
      image: await push(APP, names.image),
      gateway: await push(GATEWAY, `${names.gateway}:any`),
    };
    const yml = readFileSync(join(folder, 'calculaud.site.yml'), 'utf8')
      .replace(`image: ${APP}`, `image: ${names.image}@${digests.image}`)
      .replace(`image: ${GATEWAY}`, `image: ${names.gateway}@${digests.gateway}`);
    writeFileSync(join(folder, 'digests.yml'), yml);
    const created = await create({ file: 'digests.yml', out: 'digests.tar' });
    expect({ exitCode: created.exitCode, stderr: created.stderr }).toEqual({
      exitCode: 0,
      stderr: expect.stringContaining(`Fetching ${names.gateway}@${digests.gateway} …`),
    });
    const loaded = await site.calculaud('bundle load digests.tar --file digests.yml', folder);
    expect({ exitCode: loaded.exitCode, stderr: loaded.stderr }).toMatchObject({ exitCode: 0 });
    expect(await idOf(site, names.image)).toBe(await idOf(maker, APP));
    const untagged = `${names.gateway}:sha256-${digests.gateway.slice(7, 19)}`;
    expect(await idOf(site, untagged)).toBe(await idOf(maker, GATEWAY));
    const rendered = await site.calculaud('render --file digests.yml', folder);
    expect(rendered.stdout).toContain(`image: ${untagged}\n`);
    expect(rendered.stdout).not.toContain('@sha256');
  } finally {
    await forgetAt(maker, at);
    await registry.stop();
  }
});
