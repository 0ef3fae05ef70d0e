/** `host:port`; an IPv6 address stands in brackets. */
export function addressOf(text: string, usualPort: number): { host: string; port: number } {
  const [, bracketed, name, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? name;
  if (host === undefined) throw new Error(`"${text}" is no host:port`);
  return { host, port: port === undefined ? usualPort : Number(port) };
}
