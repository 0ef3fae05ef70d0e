import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** Both as PEM. */
export interface SelfSigned {
  readonly key: string;
  readonly cert: string;
}

const DAY_MS = 86_400_000;

/** A certificate that nobody has reason to trust, for these names and IPv4 addresses. The first one becomes its subject. */
export function selfSignedCertificate({
  hosts,
  days,
}: {
  readonly hosts: readonly [string, ...string[]];
  readonly days: number;
}): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signature = sequence(objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)); // ecdsa-with-SHA256
  const content = tbsCertificate(publicKey, signature, hosts, days);
  const signed = createSign('sha256').update(content).sign(privateKey);
  const certificate = sequence(content, signature, der(0x03, Buffer.from([0]), signed));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  };
}

/** RFC 5280, 4.1. */
function tbsCertificate(
  publicKey: KeyObject,
  signature: Buffer,
  hosts: readonly [string, ...string[]],
  days: number,
): Buffer {
  const version3 = der(0xa0, der(0x02, Buffer.from([2])));
  // Positive, and another one each time: browsers refuse two certificates of one name with the same number.
  const serial = der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)]));
  const commonName = sequence(objectId(0x55, 0x04, 0x03), der(0x0c, Buffer.from(hosts[0].slice(0, 64))));
  const name = sequence(der(0x31, commonName));
  const validity = sequence(time(Date.now() - DAY_MS), time(Date.now() + days * DAY_MS));
  const alternatives = sequence(
    ...hosts.map((host) =>
      isIPv4(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
    ),
  );
  const extension = sequence(objectId(0x55, 0x1d, 0x11), der(0x04, alternatives)); // subjectAltName
  return sequence(
    version3,
    serial,
    signature,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension)),
  );
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function objectId(...bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

/** UTCTime, good until 2049: YYMMDDhhmmssZ. */
function time(instant: number): Buffer {
  const digits = new Date(instant).toISOString().replaceAll(/\D/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}
