import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { smallBundle, testKey } from '../../bundle/testing/bundle.ts';
import { keyLine, newKeyPair } from '../../bundle/signature.ts';
import { calculaud } from '../../testing/command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'calculaud-bundle-'));
const path = (name: string): string => join(folder, name);
const key = testKey();
/** Nobody listens there: what reaches for Docker fails differently than what is expected here. */
const NO_DOCKER = `unix://${path('no.sock')}`;

function environment(more = ''): string {
  return [
    'name: site',
    'kind: production',
    'domain: site.example.org',
    'image: calculaud:1.0.0',
    'gateway: { image: "calculaud:1.0.0" }',
    'database: { kind: external }',
    `hosts: [{ name: one, docker: "${NO_DOCKER}" }]`,
    more,
  ].join('\n');
}

beforeAll(async () => {
  const bytes = await smallBundle(key);
  writeFileSync(path('bundle.tar'), bytes);
  const altered = Buffer.from(bytes);
  altered.write('X', bytes.indexOf('create table'));
  writeFileSync(path('altered.tar'), altered);
  writeFileSync(path('key.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(path('other.pub'), newKeyPair().publicKey);
  writeFileSync(path('private.key'), key.privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  });
  writeFileSync(path('site.yml'), environment(`offline: { key: ${keyLine(key.publicKey)} }`));
  writeFileSync(path('without.yml'), environment());
  writeFileSync(
    path('pooled.yml'),
    environment().replace('kind: external', 'kind: bundled, image: "postgres:18"'),
  );
  writeFileSync(path('sbom.json'), sbomOf('calculaud', '1.0.0'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function sbomOf(name: string, version: string): string {
  return JSON.stringify({ bomFormat: 'CycloneDX', metadata: { component: { name, version } } });
}

async function bundle(line: string, ...more: string[]) {
  const words = line.split(' ').map((word) => word.replace('@', `${folder}/`));
  return calculaud(['bundle', ...words, ...more]);
}

describe('bundle key', () => {
  test('makes a pair that verifies, gives the private half to its owner alone, and prints the line of the other', async () => {
    const { exitCode, stdout } = await bundle('key @made');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=\n$/);
    expect(readFileSync(path('made.pub'), 'utf8')).toContain(`\n${stdout.trim()}\n`);
    expect(statSync(path('made.key')).mode & 0o777).toBe(0o600);
    expect(stdout).not.toContain('PRIVATE');
  });

  test.each(['key', 'pub'])(
    'never writes over a .%s that is there, and leaves nothing half',
    async (half) => {
      const name = `kept-${half}`;
      writeFileSync(path(`${name}.${half}`), 'precious');
      const { exitCode, stderr } = await bundle(`key @${name}`);
      expect(exitCode).toBe(3);
      expect(stderr).toContain(`${name}.${half} is there already. Nothing was changed.`);
      expect(readFileSync(path(`${name}.${half}`), 'utf8')).toBe('precious');
      expect(existsSync(path(`${name}.${half === 'key' ? 'pub' : 'key'}`))).toBe(false);
    },
  );
});

describe('bundle verify', () => {
  test('says what is in a bundle that is fine', async () => {
    const { exitCode, stdout } = await bundle('verify @bundle.tar --key @key.pub');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^Calculaud 1.0.0 \(commit abc\) for linux\/amd64, bundled 2026-03-01T12:00:00Z\n= calculaud:1/,
    );
    expect((await bundle('verify @bundle.tar --key @key.pub --json')).events()).toMatchObject([
      { event: 'bundle', product: { version: '1.0.0' }, images: [{ name: 'calculaud:1.0.0' }], files: 9 },
      { event: 'verified' },
    ]);
  });

  test('takes the key from the environment that it is for', async () => {
    expect((await bundle('verify @bundle.tar --file @site.yml')).exitCode).toBe(0);
  });

  test('ends with 2 and names the file that was altered', async () => {
    const { exitCode, stdout } = await bundle('verify @altered.tar --key @key.pub');
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(
      /^! migrations\/0001_tables.sql was altered: its SHA-256 is \w+ instead of \w+\n$/,
    );
    expect((await bundle('verify @altered.tar --key @key.pub --json')).events()).toMatchObject([
      { event: 'problem', file: 'migrations/0001_tables.sql' },
    ]);
  });

  test('ends with 2 when another key signed it', async () => {
    const { exitCode, stdout } = await bundle('verify @bundle.tar --key @other.pub');
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(
      /^! manifest.json is not signed with the key \w{64}; it says that it was signed with/,
    );
  });

  test('ends with 2 when an image of the environment is not in it', async () => {
    const { exitCode, stdout } = await bundle('verify @bundle.tar --key @key.pub --file @pooled.yml');
    expect(exitCode).toBe(2);
    expect(stdout).toContain('! postgres:18 is not in it, and site is made of it');
  });

  test.each([
    ['verify @none.tar --key @key.pub', 'none.tar cannot be read'],
    ['verify @ --key @key.pub', 'it is no file'],
    ['verify @bundle.tar --key @none.pub', 'none.pub cannot be read'],
    ['verify @bundle.tar --key @private.key', 'private.key is a private key'],
    ['verify @bundle.tar --key @site.yml', 'site.yml holds no public key'],
    ['verify @bundle.tar --file @without.yml', 'neither --key nor offline.key'],
  ])('%s is refused', async (line, problem) => {
    const { exitCode, stderr } = await bundle(line);
    expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: expect.stringContaining(problem) });
  });
});

describe('bundle load', () => {
  test('refuses an altered bundle before it asks any Docker', async () => {
    const { exitCode, stdout, stderr } = await bundle('load @altered.tar --file @site.yml --yes');
    expect(exitCode).toBe(3);
    expect(stdout).toContain('! migrations/0001_tables.sql was altered');
    expect(stderr).toContain('must not be used. Nothing was changed.');
  });

  test('refuses an environment whose images no loaded image could be', async () => {
    const digest = `@sha256:${'0'.repeat(64)}`;
    writeFileSync(
      path('digest.yml'),
      environment().replace('image: calculaud:1.0.0', `image: calculaud:1.0.0${digest}`),
    );
    const { exitCode, stderr } = await bundle('load @bundle.tar --key @key.pub --file @digest.yml');
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`it would not find calculaud:1.0.0${digest}`);
    expect(stderr).toContain('offline: { key: <public key> }');
  });
});

describe('bundle create', () => {
  const create = async (...more: string[]) =>
    bundle(`create --file @site.yml --docker ${NO_DOCKER} --out @out.tar`, ...more);

  test.each([0o640, 0o604, 0o620, 0o644])('refuses a private key of the mode %o', async (mode) => {
    chmodSync(path('private.key'), mode);
    const { exitCode, stderr } = await create('--key', path('private.key'), '--sbom', path('sbom.json'));
    chmodSync(path('private.key'), 0o600);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      `Others may use the private key ${path('private.key')}: its mode is ${mode.toString(8)}.`,
    );
  });

  test.each<[string, string, string]>([
    ['a public key', 'key.pub', 'holds no private key'],
    ['no key', 'site.yml', 'holds no private key'],
  ])('refuses %s to sign with', async (_, file, problem) => {
    chmodSync(path(file), 0o600);
    const { exitCode, stderr } = await create('--key', path(file), '--sbom', path('sbom.json'));
    expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: expect.stringContaining(problem) });
  });

  test('refuses a key of another kind, and one with a password that nobody is there to type', async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = { type: 'pkcs8', format: 'pem' } as const;
    writeFileSync(path('rsa.key'), rsa.privateKey.export(pem), { mode: 0o600 });
    const locked = key.privateKey.export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'secret' });
    writeFileSync(path('locked.key'), locked, { mode: 0o600 });
    for (const [file, problem] of [
      ['rsa.key', 'a key of the kind rsa'],
      ['locked.key', 'is encrypted'],
    ] as const) {
      const { exitCode, stderr } = await create('--key', path(file), '--sbom', path('sbom.json'));
      expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: expect.stringContaining(problem) });
    }
  });

  test('refuses what is no list of parts', async () => {
    const { exitCode, stderr } = await create('--key', path('private.key'), '--sbom', path('site.yml'));
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringContaining('site.yml is no CycloneDX document'),
    });
  });

  test('writes over nothing, and leaves nothing when it fails', async () => {
    const words = ['--key', path('private.key'), '--sbom', path('sbom.json')];
    const unreachable = await create(...words);
    expect({ ...unreachable, events: undefined }).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/^Error: The Docker at unix:\S+no.sock does not answer: connect ENOENT/),
    });
    expect(existsSync(path('out.tar'))).toBe(false);
    writeFileSync(path('out.tar'), 'precious');
    const { exitCode, stderr } = await create(...words);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringContaining('out.tar is there already. Nothing was changed.'),
    });
  });
});
