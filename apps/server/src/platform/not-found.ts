import type { FastifyInstance } from 'fastify';
import { sendProblem } from './errors.ts';
import type { Router } from './http.ts';

/** `404 Not Found` for unknown paths, `405` with `Allow` where only the method is wrong (contract 2.1.3). */
export function answerUnknownRoutes(app: FastifyInstance, router: Router): void {
  const routes = router.endpoints.map((endpoint) => ({
    method: endpoint.method,
    pattern: new RegExp(`^${router.url(endpoint).replaceAll(/:\w+/g, '[^/]+').replace(/\/$/, '')}/?$`),
  }));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const allowed = new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method));
    return allowed.size > 0
      ? sendProblem(
          reply.header('allow', [...allowed].join(', ')),
          request,
          405,
          'method_not_allowed',
          'Method Not Allowed',
        )
      : sendProblem(reply, request, 404, 'unknown_route', 'Not Found');
  });
}
