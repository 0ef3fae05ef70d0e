import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSignedCertificate } from '@calculaud/config/self-signed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { environment } from '../../environment/testing/environment.ts';
import { neededSecrets } from '../../stack/secrets.ts';
import { generatedContents, givenContents } from './contents.ts';

const config = environment({
  kind: 'development',
  domain: 'dev.example.org',
  storage: { kind: 'bundled-s3' },
});

describe('generated', () => {
  const contents = generatedContents(config, neededSecrets(config), 'keys');

  test('each secret has a content of its own, of 256 bits where somebody could guess', () => {
    expect([...contents.keys()]).toEqual(neededSecrets(config).map(({ secret }) => secret));
    expect(new Set(contents.values()).size).toBe(contents.size);
    for (const secret of ['database-superuser', 'signing-secret', 's3-secret-access-key'] as const) {
      expect(contents.get(secret)).toMatch(/^[\w-]{43}$/);
    }
  });

  test('a login has one password, whichever way it goes', () => {
    const [direct, pooled] = ['database-app', 'database-app-pooled'] as const;
    const passwordOf = (secret: typeof direct | typeof pooled): string =>
      new URL(contents.get(secret) ?? '').password;
    expect(contents.get(direct)).toMatch(/^postgresql:\/\/calculaud_app:[\w-]{43}@database:5432\/calculaud$/);
    expect(contents.get(pooled)).toMatch(/^postgresql:\/\/calculaud_app:[\w-]{43}@pooler:5432\/calculaud$/);
    expect(passwordOf(pooled)).toBe(passwordOf(direct));
  });

  test('the certificate is for the domain, with its key', () => {
    const pem = contents.get('tls') ?? '';
    const certificate = new X509Certificate(pem);
    expect(certificate.checkHost('dev.example.org')).toBe('dev.example.org');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(pem).toContain('PRIVATE KEY');
  });

  test('another run makes others', () => {
    const again = generatedContents(config, neededSecrets(config), 'keys');
    expect([...again.values()].filter((content) => [...contents.values()].includes(content))).toEqual([]);
  });
});

describe('given', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'calculaud-init-test-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const file = (content: string): string => {
    const path = join(folder, 'content');
    writeFileSync(path, content);
    return path;
  };
  const pemFor = (host: string, days = 10): string => {
    const { cert, key } = selfSignedCertificate({ hosts: [host], days });
    return cert + key;
  };

  test('is read from its file', () => {
    const url = 'postgresql://me:secret@db.example.org/x';
    expect(givenContents([`database-app=${file(`${url}\n`)}`], config).get('database-app')).toBe(url);
    expect(givenContents([`tls=${file(pemFor('dev.example.org'))}`], config).size).toBe(1);
  });

  test.each([
    ['a name that is none', 'tsl', 'x', '--secret tsl is not known'],
    ['an empty file', 'signing-secret', '\n', 'is empty'],
    ['a short secret', 'signing-secret', 'short', 'is shorter than 32 characters'],
    ['a URL of something else', 'database-app', 'mysql://x', 'does not hold a PostgreSQL URL'],
    [
      'a certificate without its key',
      'tls',
      pemFor('dev.example.org').split('-----BEGIN PRIVATE')[0] ?? '',
      'holds no private key',
    ],
    ['a certificate of another host', 'tls', pemFor('other.example.org'), 'not for dev.example.org'],
    ['a certificate of yesterday', 'tls', pemFor('dev.example.org', -0.5), 'has expired'],
  ])('%s is refused, without its content', (_, secret, content, message) => {
    const refusal = (): unknown => givenContents([`${secret}=${file(content)}`], config);
    expect(refusal).toThrow(message);
    expect(refusal).not.toThrow('secret@');
  });

  test('a file that is not there is refused', () => {
    expect(() => givenContents(['tls=/nowhere/tls.pem'], config)).toThrow('/nowhere/tls.pem');
  });
});
