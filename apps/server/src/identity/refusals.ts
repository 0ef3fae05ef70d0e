import { Problem } from '../platform/problem.ts';

/** Why a request stays unauthenticated. RFC 6750: the challenge names an error only when credentials were sent. */

export function notAuthenticated(): Problem {
  return new Problem(
    'not_authenticated',
    401,
    'Not authenticated: send a token as "Authorization: Bearer <token>"',
    { 'www-authenticate': 'Bearer' },
  );
}

/** The reason helps whoever sent the token, and tells nothing about this server. */
export function invalidToken(reason: string): Problem {
  return new Problem('invalid_token', 401, reason, { 'www-authenticate': 'Bearer error="invalid_token"' });
}

/** Not 401: the token may be good, and a client would sign its user out. */
export function providerUnavailable(retryAfterSeconds: number): Problem {
  return new Problem(
    'identity_provider_unavailable',
    503,
    'The token cannot be checked at the moment, because the identity provider does not answer. Try again soon',
    { 'retry-after': String(retryAfterSeconds) },
  );
}
