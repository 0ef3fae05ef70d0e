import { describe, expect, test } from 'vitest';
import { parseInfo, parseVerification, segmentsIn } from './answers.ts';

/** As pgBackRest 2.45 answers. */
const FULL = '20261201-144922F';
const DIFF = `${FULL}_20261201-144925D`;

function backup(label: string, type: string, stop: number) {
  return {
    archive: { start: '000000020000000000000004', stop: '000000020000000000000004' },
    database: { id: 1, 'repo-key': 1 },
    error: false,
    info: { delta: 10, repository: { delta: 5, size: 50 }, size: 100 },
    label,
    lsn: { start: '0/4000028', stop: '0/4000100' },
    timestamp: { start: stop - 2, stop },
    type,
  };
}

function answer(status: { code: number; message: string }, backups: readonly unknown[]): string {
  const stanza = {
    archive: [{ database: { id: 1, 'repo-key': 1 }, id: '15-1', max: null, min: null }],
    backup: backups,
    db: [{ id: 1, 'repo-key': 1, 'system-id': 4711, version: '15' }],
    name: 'calculaud',
    repo: [{ cipher: 'aes-256-cbc', key: 1, status }],
    status,
  };
  return JSON.stringify([stanza]).replace('4711', '7714347780230159266');
}

const WELL = { code: 0, message: 'ok' };

describe('the answer of pgbackrest info', () => {
  test('names the backups, the newest first, and the cluster with all of its digits', () => {
    const found = parseInfo(
      answer(WELL, [backup(FULL, 'full', 1_796_136_564), backup(DIFF, 'diff', 1_796_136_566)]),
      '/srv',
    );
    expect(found.map(({ id, kind }) => [id, kind])).toEqual([
      [DIFF, 'diff'],
      [FULL, 'full'],
    ]);
    expect(found[1]).toMatchObject({
      systemId: '7714347780230159266',
      timeline: 2,
      stopLsn: '0/4000100',
      finishedAt: '2026-12-01T14:49:24.000Z',
      archive: '15-1',
      bytes: { total: 100, stored: 5 },
    });
  });

  test.each([
    ['a stanza that is missing', { code: 1, message: 'missing stanza path' }, 'missing'],
    [
      'a passphrase that does not fit',
      { code: 99, message: '[FormatError] unable to load info file' },
      'wrong-key',
    ],
    [
      'a place that may not be read',
      { code: 99, message: '[PathOpenError] permission denied' },
      'unavailable',
    ],
  ])('tells of %s, although it ends with 0', (_, status, kind) => {
    expect(() => parseInfo(answer(status, []), '/srv')).toThrow(expect.objectContaining({ kind }));
  });

  test('of a stanza without a backup is an empty list', () => {
    expect(parseInfo(answer({ code: 2, message: 'no valid backups' }, []), '/srv')).toEqual([]);
  });

  test('may quote bytes that are no text', () => {
    const broken = answer({ code: 99, message: 'FormatError' }, []).replaceAll(
      'FormatError',
      'FormatError \u0007\n\t',
    );
    expect(() => parseInfo(broken, '/srv')).toThrow(expect.objectContaining({ kind: 'wrong-key' }));
    expect(() => parseInfo('no JSON', '/srv')).toThrow(expect.objectContaining({ kind: 'corrupt' }));
  });
});

describe('the answer of pgbackrest verify', () => {
  const report = (full: string, diff: string) =>
    `stanza: calculaud
status: error
  archiveId: 15-1, total WAL checked: 4, total valid WAL: 4
  backup: ${FULL}, status: ${full}, total files checked: 964, total valid files: 963
  backup: ${DIFF}, status: ${diff}, total files checked: 965, total valid files: 965
`;

  test('of a backup that is well has no faults', () => {
    expect(parseVerification(report('valid', 'valid'), FULL)).toEqual({
      files: 964,
      segments: 4,
      faults: [],
    });
  });

  test('names what is missing; what a difference needs of the whole one is its own', () => {
    const said = `P01   INFO: file missing '${FULL}/pg_data/base/5/1259.zst'\n${report('invalid', 'valid')}`;
    const fault = { words: 'is missing' };
    expect(parseVerification(said, FULL).faults).toMatchObject([
      { ...fault, object: 'pg_data/base/5/1259.zst' },
    ]);
    expect(parseVerification(said, DIFF).faults).toMatchObject([
      { ...fault, object: `${FULL}/pg_data/base/5/1259.zst` },
    ]);
  });

  test('that does not know the backup, or says nothing, certifies nothing', () => {
    expect(parseVerification('', FULL).faults).toHaveLength(1);
    expect(parseVerification(report('valid', 'valid'), '20261202-000000F').faults).toHaveLength(1);
    expect(parseVerification(report('in-progress', 'valid'), FULL).faults).toHaveLength(1);
  });
});

test('the listing of an archive names whole segments only', () => {
  const path = '0000000100000000';
  const names = [
    '.',
    `${path}/000000010000000000000001-8d8ef2a2f5d27b11719190e2250bec0dc747c131.zst`,
    `${path}/000000010000000000000002-8d8ef2a2f5d27b11719190e2250bec0dc747c131`,
    `${path}/000000010000000000000002.00000028.backup`,
    `${path}/000000010000000000000003.partial-8d8ef2a2f5d27b11719190e2250bec0dc747c131.zst`,
  ];
  const listing = JSON.stringify(Object.fromEntries(names.map((name) => [name, { type: 'file' }])));
  expect([...segmentsIn(listing)]).toEqual(['000000010000000000000001', '000000010000000000000002']);
});
