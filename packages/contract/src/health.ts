import { z } from 'zod';
import { endpoint } from './endpoint.ts';
import * as out from './output.ts';

export const about = endpoint({
  id: 'about',
  method: 'GET',
  path: '/',
  atRoot: true,
  summary: 'Name and version of the system',
  permission: 'public',
  success: { status: 200, body: z.object({ message: z.string(), version: z.string() }) },
});

export const checkStates = ['pass', 'warn', 'fail'] as const;

export const health = endpoint({
  id: 'health',
  method: 'GET',
  path: '/health',
  atRoot: true,
  summary: 'Whether the system can serve; 503 when it cannot',
  permission: 'public',
  success: {
    status: 200,
    body: z
      .object({
        /** `degraded`: it serves, but uploads and downloads of files may fail. */
        status: z.enum(['healthy', 'degraded', 'unhealthy']),
        app: z.string(),
        version: z.string(),
        environment: z.string(),
        database: z.enum(checkStates),
        storage: z.enum(checkStates),
        timestamp: out.dateTime,
      })
      .meta({ id: 'Health' }),
  },
  errors: [503],
});
