import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Config } from '@calculaud/config/config';
import type { Endpoint } from '@calculaud/contract/endpoint';
import { openApiDocument } from './openapi.ts';

/** The files of the page; served from memory, by us: no other origin is asked for anything. */
const assets: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

const page = (title: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="page"><noscript>This page needs JavaScript; the document itself is at <a href="/openapi.json">/openapi.json</a>.</noscript></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/page.js"></script>
</html>
`;

const script = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#page', deepLinking: true, tryItOutEnabled: false });
`;

// The page shows SVG icons and styles of its own making inline; scripts come from us alone.
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** `/openapi.json`, and a page for people at `/docs` (where the configuration makes them public). */
export function docsRoutes(app: FastifyInstance, config: Config, endpoints: readonly Endpoint[]): void {
  if (!config.http.docs) {
    return;
  }
  const { name: title, version } = config.app;
  // Made when it is first asked for: it took a fifth of the processor time of a start, which few of them ever need.
  let document: string | undefined;
  const written = () =>
    (document ??= JSON.stringify(openApiDocument({ title, version, prefix: config.http.prefix, endpoints })));
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const serve = (url: string, type: string, body: () => string | Buffer) =>
    app.get(url, { exposeHeadRoute: false }, async (_request, reply) =>
      reply
        .type(type)
        .headers({ 'content-security-policy': contentSecurityPolicy, 'x-content-type-options': 'nosniff' })
        .send(body()),
    );
  serve('/openapi.json', 'application/json', written);
  serve('/docs', 'text/html; charset=utf-8', () => page(escaped(title)));
  app.get('/redoc', { exposeHeadRoute: false }, async (_request, reply) => reply.redirect('/docs', 308));
  serve('/docs/page.js', 'text/javascript; charset=utf-8', () => script);
  for (const [file, type] of Object.entries(assets)) {
    serve(`/docs/${file}`, type, () => readFileSync(join(folder, file)));
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
