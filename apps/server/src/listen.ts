import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Config } from '@calculaud/config/config';
import { StartError } from './start-refusal.ts';

/** Where to listen, and the setting by which a person changes that. */
export interface Port {
  readonly host: string;
  readonly port: number;
  readonly variable: 'PORT' | 'MANAGEMENT_PORT';
}

export function publicPort({ http }: Config): Port {
  return { host: http.host, port: http.port, variable: 'PORT' };
}

export function managementPort({ management }: Config): Port {
  return { ...management, variable: 'MANAGEMENT_PORT' };
}

/** Refuses ports that are not to be had, before anything is prepared for them. */
export async function tryPorts(...ports: readonly Port[]): Promise<void> {
  for (const wanted of ports) {
    const server = createServer();
    await refusingPort(wanted, async () => {
      server.listen({ host: wanted.host, port: wanted.port });
      await once(server, 'listening');
    });
    server.close();
    await once(server, 'close');
  }
}

/** Listens, and tells the address. */
export async function listen(app: FastifyInstance, wanted: Port): Promise<string> {
  await refusingPort(wanted, () => app.listen({ host: wanted.host, port: wanted.port }));
  return urlOf(app.server.address());
}

async function refusingPort(wanted: Port, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw refusalOf(wanted, error) ?? error;
  }
}

function refusalOf({ host, port, variable }: Port, error: unknown): StartError | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const another = `Set ${variable} to another port${variable === 'PORT' ? '' : ' (0: any free one)'}.`;
  switch (code) {
    case 'EADDRINUSE':
      return new StartError(
        `Port ${port} on ${host} is used by another program (perhaps Calculaud runs already). ${another}`,
      );
    case 'EACCES':
      return new StartError(`Port ${port} on ${host} may not be used by this user. ${another}`);
    case 'EADDRNOTAVAIL':
      return new StartError(
        `No network interface of this machine has the address ${host}. Set ${variable === 'PORT' ? 'HOST' : 'CALCULAUD_MANAGEMENT_HOST'} to one that it has.`,
      );
    default:
      return undefined;
  }
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') {
    throw new Error('a TCP server has an address');
  }
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
