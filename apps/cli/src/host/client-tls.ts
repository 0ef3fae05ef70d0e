import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';

/** What a client says and trusts. */
export interface ClientTls {
  readonly servername: string;
  readonly secureContext: SecureContext;
}

/**
 * `ca`: a file with the certificate authority to trust. Made once for all connections: making it anew for each one was
 * at the top of the prober's profile.
 */
export function clientTls(servername: string, ca: string | undefined): ClientTls {
  return { servername, secureContext: createSecureContext(ca ? { ca: readFileSync(ca) } : {}) };
}
