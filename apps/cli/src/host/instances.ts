import { lookup } from 'node:dns/promises';

/** Every server behind the name of a URL, as `host:port`. */
export async function instancesOf(url: string): Promise<readonly string[]> {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === 'https:' ? '443' : '80';
  const found = await lookup(hostname.replace(/^\[(.*)\]$/, '$1'), { all: true });
  return found
    .map(({ address, family }) => `${family === 6 ? `[${address}]` : address}:${port || usual}`)
    .toSorted();
}
