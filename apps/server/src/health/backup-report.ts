import { prometheusText } from '@calculaud/backup/schedule/prometheus';
import { alertsIn, readStatus } from '@calculaud/backup/service/status';
import type { FastifyInstance } from 'fastify';

/**
 * What the backup service beside this process tells of itself: `/backup` for people and programs, 503 while something is
 * critical; `/backup/metrics` for Prometheus. It writes a file, so that what it does is known even when it does not answer.
 */
export function backupReport(app: FastifyInstance, workFolder: string): void {
  app.get('/backup', async (_request, reply) => {
    const status = await readStatus(workFolder);
    const alerts = status ? alertsIn(status, new Date()) : [];
    const critical = alerts.some(({ severity }) => severity === 'critical');
    return reply
      .status(status && !critical ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({
        status: critical || !status ? 'fail' : alerts.length > 0 ? 'warn' : 'pass',
        alerts,
        service: status ?? null,
      });
  });
  app.get('/backup/metrics', async (_request, reply) => {
    const status = await readStatus(workFolder);
    return reply
      .header('cache-control', 'no-store')
      .type('text/plain; version=0.0.4; charset=utf-8')
      .send(
        status
          ? prometheusText({
              at: new Date(status.at),
              repositories: status.repositories,
              alerts: alertsIn(status, new Date()),
            })
          : '',
      );
  });
}
