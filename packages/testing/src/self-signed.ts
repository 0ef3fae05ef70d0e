import { type SelfSigned, selfSignedCertificate as issue } from '@calculaud/config/self-signed';

/** A certificate for localhost and 127.0.0.1 that nobody has reason to trust, valid for a day. */
export function selfSignedCertificate(): SelfSigned {
  return issue({ hosts: ['localhost', '127.0.0.1'], days: 1 });
}
