import { expect, test } from 'vitest';
import { environment } from '../environment/testing/environment.ts';
import { neededSecrets } from './secrets.ts';

function origins(parts: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(neededSecrets(environment(parts)).map(({ secret, origin }) => [secret, origin]));
}

test('what is ours is generated; certificates of staging and production are given', () => {
  const ours = {
    'database-superuser': 'generated',
    'database-owner': 'generated',
    'database-app': 'generated',
    'database-app-pooled': 'generated',
    'database-worker': 'generated',
    'database-backup': 'generated',
    'database-readonly': 'generated',
    'signing-secret': 'generated',
  };
  expect(origins({})).toEqual({ ...ours, tls: 'given' });
  expect(origins({ kind: 'development', storage: { kind: 'bundled-s3' } })).toEqual({
    ...ours,
    tls: 'generated',
    's3-access-key-id': 'generated',
    's3-secret-access-key': 'generated',
  });
});

test('what belongs to a database or a store of others is given', () => {
  expect(
    origins({ database: { kind: 'external' }, storage: { kind: 'external-s3', bucket: 'files' } }),
  ).toEqual({
    'database-owner': 'given',
    'database-app': 'given',
    'database-worker': 'given',
    'signing-secret': 'generated',
    tls: 'given',
    's3-access-key-id': 'given',
    's3-secret-access-key': 'given',
  });
});
