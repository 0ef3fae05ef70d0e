import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Lifecycle } from '../platform/lifecycle.ts';
import type { RequestCount } from '../platform/request-count.ts';
import type { Services } from '../platform/services.ts';
import { withoutSchemas } from '../platform/without-schemas.ts';
import { backupReport } from './backup-report.ts';
import { collectGarbage, reportProcess } from './process-report.ts';
import { readiness } from './service.ts';

/**
 * The private port for orchestrators and operators. `live` looks at this process alone, so that an outage of the
 * database restarts nothing; `ready` decides whether traffic comes. Each says which build answers, so that a deployment
 * can see what it talks to.
 */
export function buildManagement(
  services: Services,
  lifecycle: Lifecycle,
  requests: RequestCount,
): FastifyInstance {
  const app = fastify({ forceCloseConnections: true, schemaController: withoutSchemas });
  const { version, commit = null } = services.config.app;
  const build = { version, commit };
  app.get('/health/live', async (_request, reply) => answer(reply, true, { status: 'pass', ...build }));
  app.get('/health/started', async (_request, reply) =>
    answer(reply, lifecycle.started, { status: lifecycle.started ? 'pass' : 'fail', ...build }),
  );
  app.get('/health/ready', async (_request, reply) => {
    const { ready, ...body } = await readiness(services, lifecycle);
    return answer(reply, ready, { ...body, ...build });
  });
  app.get('/process', async () => ({ ...build, ...reportProcess(requests) }));
  // A deployment compares what two versions keep of their requests. Nobody but operators reaches this port.
  app.post('/process/collect-garbage', async () => {
    collectGarbage();
    return { ...build, ...reportProcess(requests) };
  });
  const { backup } = services.config;
  if (backup.enabled) backupReport(app, backup.workFolder);
  return app;
}

function answer(reply: FastifyReply, fine: boolean, body: object): FastifyReply {
  return reply
    .status(fine ? 200 : 503)
    .headers({ 'cache-control': 'no-store', 'content-type': 'application/health+json' })
    .send(JSON.stringify(body));
}
