import type { FastifyRequest } from 'fastify';
import type { Config } from '@calculaud/config/config';
import { Problem } from './problem.ts';

export type Addresses = Pick<Config['http'], 'publicUrl' | 'allowedHosts'>;

/**
 * Where links of the answer lead: to the public address, else to the name by which the client reached us, as in v1. Who
 * sends requests chooses that name, so it may be bound to a list.
 */
export function baseUrlOf({ publicUrl }: Addresses, request: FastifyRequest): string {
  return publicUrl ?? `${request.protocol}://${request.host}`;
}

/** Refuses requests under names that are not ours, when ours are listed. */
export function assertAllowedHost({ publicUrl, allowedHosts }: Addresses, request: FastifyRequest): void {
  if (allowedHosts.length === 0) return;
  const ours = publicUrl === undefined ? allowedHosts : [...allowedHosts, new URL(publicUrl).hostname];
  const asked = request.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (!ours.some((host) => host.replace(/^\[(.*)\]$/, '$1').toLowerCase() === asked)) {
    throw new Problem('unknown_host', 421, 'This server is not called by the name in the Host header');
  }
}
