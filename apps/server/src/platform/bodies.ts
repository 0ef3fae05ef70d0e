import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { InvalidInput } from './validation.ts';

/**
 * JSON whatever the content type says, but for forms and uploads: a body that is no JSON object is then refused by
 * the endpoint's schema with the field that is wrong, as in v1, and not by a bare 415.
 */
export function parseBodies(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    parseJson(Buffer.from(body), done);
  });
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (request.headers['content-type'] === undefined) {
      parseJson(Buffer.from(body), done);
    } else {
      done(null, body.toString());
    }
  });
}

function parseJson(body: Buffer, done: (error: Error | null, body?: unknown) => void): void {
  if (body.length === 0) {
    done(null, undefined);
    return;
  }
  // Decoded as it is, text in another encoding would be stored as replacement characters, and be lost.
  if (!isUtf8(body)) {
    done(undecodable(0, 'JSON is UTF-8, and this is not'));
    return;
  }
  const text = body.toString('utf8');
  try {
    done(null, JSON.parse(text));
  } catch (error) {
    const offset =
      error instanceof Error ? Number(/position (\d+)/.exec(error.message)?.[1] ?? text.length) : 0;
    done(undecodable(offset, 'JSON decode error'));
  }
}

function undecodable(offset: number, msg: string): InvalidInput {
  return new InvalidInput([
    { type: 'json_invalid', loc: ['body', offset], msg, input: {}, ctx: { error: msg } },
  ]);
}
