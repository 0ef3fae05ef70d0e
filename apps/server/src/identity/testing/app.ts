import type { IdentityProvider } from '@calculaud/testing/identity-provider';
import { type TestApp, type TestResponse, testApp } from '../../testing/app.ts';
import { createAuthenticator } from '../authenticate.ts';
import { type KeyTiming, keyTiming } from '../signing-keys.ts';

/** Asks for keys whenever there is a reason to. */
export const eager: KeyTiming = { ...keyTiming, coolDownMs: 0, retryMs: 0 };

export const admin = { role: 'calAdmins' };

export interface SignInApp extends TestApp {
  /** What was logged, everything there is to log. */
  readonly log: readonly string[];
  /** A request that a reader may make, with this bearer token. */
  read(token: string): Promise<TestResponse>;
}

/** The application with its real sign-in, which trusts the provider. */
export async function signInApp(
  provider: IdentityProvider,
  timing: KeyTiming,
  environment: Readonly<Record<string, string>> = {},
): Promise<SignInApp> {
  const log: string[] = [];
  const app = await testApp(
    {
      AUTH_JWKS_URL: provider.keysUrl,
      AUTH_ISSUER: provider.issuer,
      AUTH_TOKEN_ENDPOINT_URL: provider.tokenUrl,
      AUTH_ALGORITHM: 'RS256,ES256',
      LOG_LEVEL: 'trace',
      ...environment,
    },
    {
      authenticator: (services) => createAuthenticator(services, timing),
      logStream: { write: (line) => log.push(line) },
    },
  );
  return {
    ...app,
    log,
    read: (token) => app.get('/budget-sources/', { role: null, headers: bearer(token) }),
  };
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}
