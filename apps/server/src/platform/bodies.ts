import type { FastifyInstance } from 'fastify';
import { InvalidInput } from './validation.ts';

/**
 * JSON whatever the content type says, but for forms and uploads: a body that is no JSON object is then refused by
 * the endpoint's schema with the field that is wrong, as in v1, and not by a bare 415.
 */
export function parseBodies(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    parseJson(body.toString(), done);
  });
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    if (request.headers['content-type'] === undefined) {
      parseJson(body.toString(), done);
    } else {
      done(null, body.toString());
    }
  });
}

function parseJson(text: string, done: (error: Error | null, body?: unknown) => void): void {
  if (text === '') {
    done(null, undefined);
    return;
  }
  try {
    done(null, JSON.parse(text));
  } catch (error) {
    const offset =
      error instanceof Error ? Number(/position (\d+)/.exec(error.message)?.[1] ?? text.length) : 0;
    const msg = 'JSON decode error';
    done(
      new InvalidInput([
        { type: 'json_invalid', loc: ['body', offset], msg, input: {}, ctx: { error: msg } },
      ]),
    );
  }
}
