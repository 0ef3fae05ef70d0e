import { alertsIn, readStatus } from '@calculaud/backup/service/status';
import type { Config } from '@calculaud/config/config';
import fastify, { type FastifyInstance } from 'fastify';
import { withoutSchemas } from '../platform/without-schemas.ts';
import { backupReport } from './backup-report.ts';

/**
 * The private port of the backup service where it runs alone. Started and alive is what still tells what it does; a
 * repository that is away restarts nothing.
 */
export function buildBackupManagement({ app: about, backup }: Config): FastifyInstance {
  const app = fastify({ forceCloseConnections: true, schemaController: withoutSchemas });
  const { version, commit = null } = about;
  for (const question of ['live', 'started', 'ready']) {
    app.get(`/health/${question}`, async (_request, reply) => {
      const status = await readStatus(backup.workFolder);
      const silent = !status || alertsIn(status, new Date()).some(({ name }) => name === 'service-silent');
      return reply
        .status(silent ? 503 : 200)
        .headers({ 'cache-control': 'no-store', 'content-type': 'application/health+json' })
        .send(JSON.stringify({ status: silent ? 'fail' : 'pass', version, commit }));
    });
  }
  backupReport(app, backup.workFolder);
  return app;
}
