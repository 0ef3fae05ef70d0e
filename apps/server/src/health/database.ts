import { type Database, openDatabase } from '@calculaud/db/database';
import { HEALTH_LIMIT_MS } from './service.ts';

/**
 * A connection that is kept for health alone. With one of the requests' an instance that has much to do would say that it
 * is not ready, its share would go to the others, and they would follow it.
 */
export function openHealthDatabase(connectionString: string): Database {
  return openDatabase({
    connectionString,
    poolSize: 1,
    statementTimeoutMs: HEALTH_LIMIT_MS,
    connectTimeoutMs: HEALTH_LIMIT_MS,
    applicationName: 'calculaud health',
  });
}
