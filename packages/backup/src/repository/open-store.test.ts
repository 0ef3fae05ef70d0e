import { describe, expect, test } from 'vitest';
import { openStore, parseStoreAddress } from './open-store.ts';
import { BackupProblem } from './problem.ts';

const s3 = { kind: 's3', prefix: '', endpoint: undefined, region: undefined };

describe('the address of a repository', () => {
  test.each([
    ['/srv/backup', { kind: 'folder', path: '/srv/backup' }],
    ['data/backups', { kind: 'folder', path: 'data/backups' }],
    ['file:///srv/backup', { kind: 'folder', path: '/srv/backup' }],
    ['file://localhost/srv/my%20backup', { kind: 'folder', path: '/srv/my backup' }],
    ['s3://bucket', { ...s3, bucket: 'bucket' }],
    ['s3://Old_Bucket/', { ...s3, bucket: 'Old_Bucket' }],
    ['s3://bucket/some/prefix/', { ...s3, bucket: 'bucket', prefix: 'some/prefix' }],
    [
      's3://bucket/x?endpoint=https://s3.example.org:9000&region=eu-1',
      { ...s3, bucket: 'bucket', prefix: 'x', endpoint: 'https://s3.example.org:9000', region: 'eu-1' },
    ],
  ])('%s is understood', (address, place) => {
    expect(parseStoreAddress(address)).toEqual(place);
  });

  test.each([
    ['', 'it is empty'],
    ['ftp://host/x', 'nothing is known of ftp://'],
    ['file://host/x', 'absolute path'],
    ['file:///x?y=1', 'absolute path'],
    ['s3://', 'no URL|name of a bucket'],
    ['s3://bucket:9000/x', 'name of a bucket'],
    ['s3://bucket/a/../../b c', 'made of letters'],
    ['s3://bucket/.hidden', 'made of letters'],
    ['s3://bucket?endpont=https://s3.example.org', 'not endpont'],
    ['s3://bucket?endpoint=s3.example.org', 'its endpoint'],
    ['s3://bucket?endpoint=https://s3.example.org/path', 'its endpoint'],
    ['s3://bucket?endpoint=https://key:hidden@s3.example.org', 'its endpoint'],
    ['s3://bucket?region=a%20b', 'its region'],
    ['s3://key:hidden@bucket', 'a key or a password'],
  ])('%s is refused, and says why', async (address, why) => {
    const refused = await openStore(address).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BackupProblem);
    expect(refused).toMatchObject({ kind: 'impossible', message: expect.stringMatching(why) });
    expect(String(refused)).not.toContain('hidden@');
    expect(String(refused)).not.toContain('key:hidden');
  });
});
