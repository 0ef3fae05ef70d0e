import { parseStoreAddress } from '@calculaud/backup/repository/open-store';
import { proxies } from '@calculaud/config/readers';
import { z } from 'zod';

/** Values of `calculaud.yml`. The message of each is what was expected; the loader adds the path and what it found. */

const NAME = 'lower-case letters, digits and dashes, starting with a letter';
/** Becomes part of the names of services and volumes; DNS allows 63 characters for a label. */
export const name = z
  .string(NAME)
  .max(30, 'at most 30 characters')
  .regex(/^[a-z]([a-z0-9-]*[a-z0-9])?$/, NAME);

const DOMAIN = 'a host name such as procurement.example.org';
export const domain = z
  .string(DOMAIN)
  .max(253, DOMAIN)
  .regex(/^(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/i, DOMAIN);

const IMAGE = 'an image with its tag or digest, such as registry.example.org/calculaud:1.0.0';
/** Without a tag it would be `latest`, which means something else every day. */
export const containerImage = z
  .string(IMAGE)
  .regex(
    /^([a-z0-9.-]+(:\d+)?\/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127}(@sha256:[a-f0-9]{64})?|@sha256:[a-f0-9]{64})$/,
    IMAGE,
  );

const ENDPOINT = 'unix:///path/of/docker.sock or ssh://user@host';
export const dockerEndpoint = z
  .string(ENDPOINT)
  .regex(/^(unix:\/\/\/\S+|ssh:\/\/([\w.-]+@)?[a-zA-Z0-9][\w.-]*(:\d{1,5})?)$/, ENDPOINT);

const BUNDLE_KEY = 'an Ed25519 public key: the line in the middle of its PEM file';
/** All such keys begin alike: the beginning says of what kind they are. */
export const bundleKey = z.string(BUNDLE_KEY).regex(/^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$/, BUNDLE_KEY);

export const port = z
  .int('a port from 1 to 65535')
  .min(1, 'a port from 1 to 65535')
  .max(65_535, 'a port from 1 to 65535');

const WEB_URL = 'a URL that starts with https:// or http://';
export const webUrl = z.url({ protocol: /^https?$/, error: WEB_URL });

const NETWORK = 'an address or a network such as 10.0.0.0/8';
export const network = z
  .string(NETWORK)
  .refine((text) => /^[\da-f.:/]+$/i.test(text) && proxies.safeParse(text).success, NETWORK);

const DURATION = 'a duration such as 30s, 5m, 2h or 7d';
const MILLISECONDS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds, once read. */
export const duration = z
  .string(DURATION)
  .regex(/^\d{1,6}[smhd]$/, DURATION)
  .transform((text) => {
    const unit = z.enum(['s', 'm', 'h', 'd']).parse(text.at(-1));
    return Number(text.slice(0, -1)) * MILLISECONDS[unit];
  });

const BACKUP_ADDRESS =
  'file:///srv/backup or s3://bucket/prefix?endpoint=https://s3.example.org, without a key or a comma in it';
export const backupAddress = z.string(BACKUP_ADDRESS).refine((text) => {
  try {
    return /^(file:\/\/\/|s3:\/\/)[^,\s]+$/.test(text) && parseStoreAddress(text) !== undefined;
  } catch {
    return false;
  }
}, BACKUP_ADDRESS);
