import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openFolderStore } from './folder-store.ts';
import { BackupProblem } from './problem.ts';
import { type S3Place, s3Address } from './s3-address.ts';
import type { S3Credentials } from './s3-store.ts';
import { type BackupStore, isStoreKey } from './store.ts';

type StorePlace = { readonly kind: 'folder'; readonly path: string } | ({ readonly kind: 's3' } & S3Place);

/**
 * Opens `file:///srv/backup`, the path of a folder, or `s3://bucket/prefix?endpoint=https://…&region=…`, and sees whether it
 * can be used. The credentials are for buckets; without them the usual places of AWS are searched. `create`: a folder is made.
 */
export async function openStore(
  address: string,
  credentials?: S3Credentials,
  { create = true } = {},
): Promise<BackupStore> {
  const place = parseStoreAddress(address);
  if (place.kind === 'folder') return openFolderStore(place.path, { create });
  // Its client takes 22 MB and 0.2 s, which those who have no bucket are spared.
  const { openS3Store } = await import('./s3-store.ts');
  return openS3Store(place, credentials);
}

/** The address that a store which is opened by this one has; the same again when it leads nowhere. */
export function storeAddress(address: string): string {
  try {
    const place = parseStoreAddress(address);
    return place.kind === 'folder' ? `file://${resolve(place.path)}` : s3Address(place);
  } catch {
    return address;
  }
}

/** Where an address leads; rejects one that is wrong, without repeating what could be a secret in it. */
export function parseStoreAddress(address: string): StorePlace {
  if (address.trim() === '') throw wrong('it is empty');
  if (!address.includes('://')) return { kind: 'folder', path: address };
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url) throw wrong('it is no URL');
  if (url.username !== '' || url.password !== '') {
    throw wrong('it holds a key or a password, which would be shown: give these by the settings');
  }
  if (url.protocol === 'file:') {
    if (url.search !== '' || url.hash !== '' || (url.hostname !== '' && url.hostname !== 'localhost')) {
      throw wrong('after file:// comes only the absolute path of a folder');
    }
    return { kind: 'folder', path: fileURLToPath(`file://${url.pathname}`) };
  }
  if (url.protocol !== 's3:') throw wrong(`nothing is known of ${url.protocol}//`);
  return { kind: 's3', ...s3PlaceOf(url) };
}

function s3PlaceOf(url: URL): S3Place {
  if (!/^[a-z0-9][a-z0-9._-]*$/i.test(url.hostname) || url.port !== '' || url.hash !== '') {
    throw wrong('after s3:// comes the name of a bucket');
  }
  const prefix = url.pathname.replaceAll(/^\/+|\/+$/g, '');
  if (prefix !== '' && !isStoreKey(prefix)) {
    throw wrong('the path in a bucket is made of letters, digits, dots, hyphens and underscores');
  }
  for (const name of url.searchParams.keys()) {
    if (name !== 'endpoint' && name !== 'region') {
      throw wrong(`after ? come endpoint and region, and not ${name}`);
    }
  }
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  const region = url.searchParams.get('region') ?? undefined;
  if (endpoint !== undefined && !isWebOrigin(endpoint)) {
    throw wrong('its endpoint is no address such as https://s3.example.org');
  }
  if (region !== undefined && !/^[a-z0-9-]+$/i.test(region)) throw wrong('its region is none');
  return { bucket: url.hostname, prefix, endpoint, region };
}

function isWebOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
}

function wrong(why: string): BackupProblem {
  return new BackupProblem(
    'impossible',
    `This address of a repository cannot be used: ${why}. Write a folder such as /srv/backup, or s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-1.`,
  );
}
