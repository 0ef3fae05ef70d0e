import { about, health } from '@calculaud/contract/health';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import { checkDatabase, checkStorage } from './service.ts';

export function healthRoutes(router: Router, services: Services): void {
  const { app } = services.config;
  router.handle(about, async () => ({ value: { message: app.name, version: app.version } }));
  router.handle(health, async () => {
    const [database, storage] = await Promise.all([checkDatabase(services), checkStorage(services)]);
    const serving = database.status === 'pass';
    return {
      status: serving ? 200 : 503,
      headers: { 'cache-control': 'no-store' },
      value: {
        status: serving ? (storage.status === 'pass' ? 'healthy' : 'degraded') : 'unhealthy',
        app: app.name,
        version: app.version,
        environment: app.environment,
        database: database.status,
        storage: storage.status,
        timestamp: new Date().toISOString().replace(/(\.\d{3})Z$/, '$1000Z'),
      },
    };
  });
}
