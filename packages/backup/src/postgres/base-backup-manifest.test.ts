import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { assertAsAnnounced } from './base-backup-manifest.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function manifestOf(files: readonly object[], { system = '7578913712044019711' } = {}): string {
  const lines = files.map((file) => JSON.stringify(file)).join(',\n');
  const text = `{ "PostgreSQL-Backup-Manifest-Version": 2,\n"System-Identifier": ${system},\n"Files": [\n${lines}\n],\n"WAL-Ranges": [],\n`;
  return `${text}"Manifest-Checksum": "${sha256(text)}"}\n`;
}

const announced = (path: string, content: string) => ({
  Path: path,
  Size: content.length,
  'Checksum-Algorithm': 'SHA256',
  Checksum: sha256(content),
});
const seen = (files: Record<string, string>) =>
  new Map(Object.entries(files).map(([path, text]) => [path, { size: text.length, sha256: sha256(text) }]));

const good = manifestOf([announced('PG_VERSION', '18\n'), announced('base/1/1259', 'rows')]);

function check(manifest: string, files: Record<string, string>) {
  return () =>
    assertAsAnnounced(Buffer.from(manifest), { systemId: '7578913712044019711', seen: seen(files) });
}

describe('the manifest of a base backup', () => {
  test('fits what came, and says nothing about the log', () => {
    const wal = { 'pg_wal/000000010000000000000002': 'log' };
    expect(check(good, { PG_VERSION: '18\n', 'base/1/1259': 'rows', ...wal })).not.toThrow();
    const odd = {
      ...announced('x', 'odd'),
      Path: undefined,
      'Encoded-Path': Buffer.from('ö').toString('hex'),
    };
    expect(check(manifestOf([odd]), { ö: 'odd' })).not.toThrow();
  });

  test.each([
    ['a file that did not come', { PG_VERSION: '18\n' }, 'base/1/1259', 'did not come'],
    [
      'a file of another size',
      { PG_VERSION: '18\n', 'base/1/1259': 'row' },
      'base/1/1259',
      '3 instead of 4 bytes',
    ],
    ['a flipped byte', { PG_VERSION: '18\n', 'base/1/1259': 'rowS' }, 'base/1/1259', 'another checksum'],
    ['a file beside', { PG_VERSION: '18\n', 'base/1/1259': 'rows', x: '' }, 'x', 'unannounced'],
  ])('names %s', (_, files, object, words) => {
    const message = expect.stringContaining(words);
    expect(check(good, files)).toThrow(expect.objectContaining({ kind: 'corrupt', object, message }));
  });

  test.each([
    ['empty', ''],
    ['cut', good.slice(0, -20)],
    ['without its last line', good.slice(0, good.lastIndexOf('"Manifest-Checksum"'))],
    ['changed', good.replace('base/1/1259', 'base/1/1258')],
    ['of another format', manifestOf([{ Path: 'PG_VERSION' }])],
    ['without checksums', manifestOf([{ Path: 'PG_VERSION', Size: 3 }])],
    ['of another cluster', manifestOf([], { system: '7578913712044019712' })],
  ])('is refused when it is %s', (_, manifest) => {
    const problem = { kind: 'corrupt', object: 'backup_manifest' };
    expect(check(manifest, { PG_VERSION: '18\n' })).toThrow(expect.objectContaining(problem));
  });
});
