import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';

/** Where a Docker engine listens. */
export type DockerAddress = UnixAddress | TcpAddress | SshAddress;

interface UnixAddress {
  readonly kind: 'unix';
  readonly path: string;
}

interface TcpAddress {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
}

export interface SshAddress extends SshSettings {
  readonly kind: 'ssh';
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
  /** The engine's socket on that host, where it is not the usual one. */
  readonly socket?: string;
}

/** What ssh takes from the user's own configuration and agent when it is left out. */
export interface SshSettings {
  /** The private key; no other key and no agent is tried then. */
  readonly identityFile?: string;
  /** The keys of hosts that are known; no other file is believed then. */
  readonly knownHostsFile?: string;
}

/** Reads an address as DOCKER_HOST has it: `unix://`, `ssh://`, or `tcp://` to this machine only. */
export function parseDockerAddress(text: string, ssh: SshSettings = {}): DockerAddress {
  const refuse = (problem: string): never => {
    throw new CliError(
      `The Docker host "${text.replace(/:[^:@/]*@/, ':***@')}" ${problem}.`,
      'Use unix:///var/run/docker.sock, or ssh://user@host, with a port where it is not 22.',
      EXIT.refused,
    );
  };
  if (!URL.canParse(text)) return refuse('is no address');
  const url = new URL(text);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (url.password) return refuse('holds a password, which others could read');
  if (url.search || url.hash) return refuse('has parts that mean nothing in an address of an engine');
  switch (url.protocol) {
    case 'unix:':
      if (host || !url.pathname.startsWith('/')) return refuse('must name a socket by its whole path');
      return { kind: 'unix', path: decodeURIComponent(url.pathname) };
    case 'tcp:':
      // An engine on TCP obeys whoever connects, and root is what it gives.
      if (!['127.0.0.1', 'localhost', '::1'].includes(host))
        return refuse('is reached without encryption: only this machine is reached by tcp');
      return { kind: 'tcp', host, port: Number(url.port || 2375) };
    case 'ssh:':
      return { ...sshAddress(url, host, refuse), ...ssh };
    default:
      return refuse('is of a kind that is not known');
  }
}

function sshAddress(url: URL, host: string, refuse: (problem: string) => never): SshAddress {
  const user = decodeURIComponent(url.username);
  const socket = ['', '/'].includes(url.pathname) ? undefined : decodeURIComponent(url.pathname);
  // Neither may look like an option to ssh, nor mean anything to the shell at the other end.
  if (!/^[A-Za-z0-9][A-Za-z0-9.:_-]*$/.test(host)) return refuse('has an impossible host name');
  if (user && !/^[A-Za-z0-9_][A-Za-z0-9._@-]*$/.test(user)) return refuse('has an impossible user name');
  if (socket && !/^\/[A-Za-z0-9._/-]+$/.test(socket)) return refuse('names a socket with unusual characters');
  return {
    kind: 'ssh',
    host,
    ...(user && { user }),
    ...(url.port && { port: Number(url.port) }),
    ...(socket && { socket }),
  };
}

/** The address as people write it. */
export function showDockerAddress(address: DockerAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  if (address.kind === 'tcp') return `tcp://${address.host}:${address.port}`;
  const { user, host, port, socket = '' } = address;
  return `ssh://${user ? `${user}@` : ''}${host}${port ? `:${port}` : ''}${socket}`;
}
