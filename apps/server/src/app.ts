import { randomUUID } from 'node:crypto';
import cors from '@fastify/cors';
import formbody from '@fastify/formbody';
import fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import { analyticsRoutes } from './analytics/routes.ts';
import { catalogRoutes } from './catalog/routes.ts';
import { currenciesRoutes } from './currencies/routes.ts';
import { docsRoutes } from './docs/routes.ts';
import { filesRoutes } from './files/routes.ts';
import { flowRulesRoutes } from './flow-rules/routes.ts';
import { flowsRoutes } from './flows/routes.ts';
import { healthRoutes } from './health/routes.ts';
import { hierarchiesRoutes } from './hierarchies/routes.ts';
import { announceSignIn } from './identity/notices.ts';
import { identityRoutes } from './identity/routes.ts';
import { parseBodies } from './platform/bodies.ts';
import type { Principal } from './platform/context.ts';
import { answerErrors, answerMalformed, answerUnreadable } from './platform/errors.ts';
import { Router } from './platform/http.ts';
import { Lifecycle } from './platform/lifecycle.ts';
import { logRedaction } from './platform/log-redaction.ts';
import { acceptMultipart } from './platform/multipart.ts';
import { answerUnknownRoutes } from './platform/not-found.ts';
import type { Services } from './platform/services.ts';
import { withoutSchemas } from './platform/without-schemas.ts';
import { purchasesRoutes } from './purchases/routes.ts';
import { purposesRoutes } from './purposes/routes.ts';
import { stagesRoutes } from './stages/routes.ts';

export interface AppOptions extends Services {
  readonly authenticate: (request: FastifyRequest) => Promise<Principal>;
  readonly lifecycle?: Lifecycle;
  /** Where the log goes instead of standard output. */
  readonly logStream?: { write(line: string): void };
}

/** The whole HTTP API, not yet listening. This is the only list of all features. */
export async function buildApp({
  authenticate,
  lifecycle = new Lifecycle(),
  logStream,
  ...services
}: AppOptions): Promise<FastifyInstance> {
  const { config } = services;
  const app = fastify({
    logger: {
      level: config.log.level,
      redact: logRedaction,
      ...(logStream ? { stream: logStream } : {}),
    },
    // One line a request, with its end; see below.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestId,
    trustProxy: [...config.http.trustedProxies],
    bodyLimit: 1024 * 1024,
    // A connection on which nothing moves for so long is ended: a body that never comes, an answer that nobody reads.
    connectionTimeout: 120_000,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 16_384 },
    forceCloseConnections: 'idle',
    // While it drains it goes on answering what still comes.
    return503OnClosing: false,
    schemaController: withoutSchemas,
    clientErrorHandler: answerUnreadable,
    frameworkErrors: answerMalformed,
  });
  answerErrors(app);
  parseBodies(app);
  acceptMultipart(app);
  await app.register(formbody);
  await app.register(cors, {
    origin: config.http.cors.origins === 'any' ? '*' : [...config.http.cors.origins],
    credentials: config.http.cors.credentials,
    methods: ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'],
    exposedHeaders: ['content-disposition', 'etag', 'x-request-id'],
    maxAge: 600,
    // OPTIONS that is no preflight is a method like any other.
    strictPreflight: false,
  });
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' });
  });
  app.addHook('onResponse', async (request, reply) => {
    request.log.info(
      { req: request, res: reply, responseTime: reply.elapsedTime },
      reply.raw.writableFinished ? 'request completed' : 'request broken off',
    );
  });
  app.addHook('onSend', async (_request, reply) => {
    if (lifecycle.draining) {
      void reply.header('connection', 'close');
    }
  });

  announceSignIn(app, config);

  const router = new Router(app, {
    prefix: config.http.prefix,
    addresses: config.http,
    timeZone: config.organisation.timeZone,
    authenticate,
  });
  analyticsRoutes(router, services);
  catalogRoutes(router, services);
  currenciesRoutes(router, services);
  filesRoutes(router, services);
  flowRulesRoutes(router, services);
  flowsRoutes(router, services);
  healthRoutes(router, services);
  hierarchiesRoutes(router, services);
  identityRoutes(router, services);
  purchasesRoutes(router, services);
  purposesRoutes(router, services);
  stagesRoutes(router, services);
  docsRoutes(app, config, router.endpoints);

  answerUnknownRoutes(app, router);
  return app;
}

/** The caller's own request id when it is harmless, so that one id follows a request through all systems. */
function requestId(request: { headers: Record<string, string | string[] | undefined> }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : randomUUID();
}
