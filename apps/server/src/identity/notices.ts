import type { FastifyInstance } from 'fastify';
import type { Config } from '@calculaud/config/config';

/** Says at the start and in every answer what is unusual about sign-in. */
export function announceSignIn(app: FastifyInstance, { auth, http }: Config): void {
  if (auth.bypass) {
    app.addHook('onRequest', async (_request, reply) => {
      void reply.header('x-calculaud-auth', 'bypassed');
    });
  }
  app.addHook('onListen', async () => {
    if (auth.bypass) {
      app.log.warn(
        `SIGN-IN IS OFF (BYPASS_AUTH): everybody who reaches ${http.host}:${http.port} is an administrator. Never use this with real data.`,
      );
    } else if (auth.oidc && auth.oidc.audience === undefined) {
      app.log.warn(
        'AUTH_AUDIENCE is not set: tokens without an audience are accepted whichever client of the issuer they were made for',
      );
    }
  });
}
