import { z } from 'zod';
import { endpoint } from './endpoint.ts';
import * as out from './output.ts';

export const about = endpoint({
  id: 'about',
  method: 'GET',
  path: '/',
  atRoot: true,
  summary: 'Name and version of the system',
  description: 'Needs no credentials.',
  permission: 'public',
  success: { status: 200, body: z.object({ message: z.string(), version: z.string() }) },
});

export const checkStates = ['pass', 'warn', 'fail'] as const;

export const health = endpoint({
  id: 'health',
  method: 'GET',
  path: '/health',
  atRoot: true,
  summary: 'Whether the system can serve',
  description: '503, with the same members, when it cannot. Needs no credentials.',
  permission: 'public',
  success: {
    status: 200,
    body: z
      .object({
        status: z
          .enum(['healthy', 'degraded', 'unhealthy'])
          .describe('`degraded`: it serves, but uploads and downloads of files may fail.'),
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
