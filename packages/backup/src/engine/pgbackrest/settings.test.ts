import { describe, expect, test } from 'vitest';
import { archiveCommand, configurationText, type PgBackRestSettings } from './settings.ts';

const settings: PgBackRestSettings = {
  repository: '/srv/backup',
  passphrase: 'secret # = text',
  s3: undefined,
  folder: '/var/lib/calculaud/pgbackrest',
  processes: 3,
};

describe('the configuration of pgBackRest', () => {
  test('has the repository, encrypted, and the server where one is given', () => {
    const text = configurationText(settings, {
      dataDirectory: '/var/lib/postgresql/15/main',
      socketDirectory: '/run/postgresql',
      port: 5433,
      user: 'backup',
      database: 'calculaud',
    });
    expect(text).toContain(
      'repo1-path=/srv/backup\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=secret # = text\n',
    );
    expect(text).toContain('process-max=3\n');
    expect(text).toMatch(
      /\[calculaud\]\npg1-path=\/var\/lib\/postgresql\/15\/main\npg1-socket-path=\/run\/postgresql\npg1-port=5433\n/,
    );
    expect(configurationText(settings)).not.toContain('[calculaud]');
  });

  test('of a bucket', () => {
    const repository = 's3://backup/calculaud?endpoint=https://s3.example.org&region=eu-1';
    const text = configurationText({
      ...settings,
      repository,
      s3: { accessKeyId: 'K', secretAccessKey: 'S' },
    });
    expect(text).toContain(
      'repo1-type=s3\nrepo1-path=/calculaud\nrepo1-s3-bucket=backup\nrepo1-s3-endpoint=s3.example.org\nrepo1-s3-region=eu-1\nrepo1-s3-uri-style=path\nrepo1-s3-key=K\nrepo1-s3-key-secret=S\n',
    );
    expect(() => configurationText({ ...settings, repository })).toThrow(/keys of the bucket/);
    const plain = 's3://backup?endpoint=http://localhost:9000';
    expect(() => configurationText({ ...settings, repository: plain })).toThrow(/TLS/);
  });

  test('is not written with a value that would begin another line', () => {
    expect(() => configurationText({ ...settings, passphrase: 'a\nrepo1-path=/etc' })).toThrow(/line break/);
  });

  test('keeps its secret out of the command of the server', () => {
    expect(archiveCommand(settings)).toBe(
      'pgbackrest --config=/var/lib/calculaud/pgbackrest/server.conf --stanza=calculaud archive-push %p',
    );
  });
});
