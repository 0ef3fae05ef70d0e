import type { FastifyRequest } from 'fastify';
import { isLoopback } from '@calculaud/config/loopback';
import { Problem } from '../platform/problem.ts';

/**
 * Without sign-in everybody who reaches the server is an administrator. It listens on loopback only (the configuration
 * sees to it), but a browser on this machine also carries requests of foreign pages there: those name their origin, or
 * reach us under a name that was made to point here.
 */
export function assertLocal(request: FastifyRequest): void {
  const { origin } = request.headers;
  const hosts = [request.hostname, ...(origin === undefined ? [] : [hostOf(origin)])];
  if (!hosts.every((host) => isLoopback(host.replace(/^\[(.*)\]$/, '$1')))) {
    throw new Problem(
      'forbidden',
      403,
      'BYPASS_AUTH serves pages and programs of this machine only, under localhost or 127.0.0.1',
    );
  }
}

function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).hostname : origin;
}
