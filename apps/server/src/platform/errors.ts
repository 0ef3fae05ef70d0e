import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isOutOfRoom, isOverloaded } from './overload.ts';
import { Problem } from './problem.ts';
import { type FieldError, InvalidInput } from './validation.ts';

/**
 * Answers every failure in one shape: v1's `detail`, the `message` its front end reads, and the members of RFC 9457.
 * Nothing internal leaves; what is unexpected is logged under the request id that the answer shows.
 */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof Problem) {
      return sendProblem(reply.headers(error.headers), request, error.status, error.code, error.message);
    }
    if (error instanceof InvalidInput) {
      return sendProblem(reply, request, 422, 'invalid_input', error.message, error.errors);
    }
    const known = fromFastify(error);
    if (known) {
      return known instanceof InvalidInput
        ? sendProblem(reply, request, 422, 'invalid_input', known.message, known.errors)
        : sendProblem(reply.headers(known.headers), request, known.status, known.code, known.message);
    }
    if (isOverloaded(error)) {
      request.log.warn({ err: error }, 'the database did not answer in time');
      void reply.header('retry-after', '5');
      return sendProblem(
        reply,
        request,
        503,
        'busy',
        'The database does not answer in time: try again in a moment',
      );
    }
    if (isOutOfRoom(error)) {
      request.log.error({ err: error }, 'no room left');
      return sendProblem(
        reply,
        request,
        507,
        'no_room',
        'There is no room left to store this, and nothing was saved. Whoever runs the system has to make room',
      );
    }
    request.log.error({ err: error }, 'unexpected failure');
    return sendProblem(
      reply,
      request,
      500,
      'internal',
      'Something went wrong on our side. Quote the request id when you report it',
    );
  });
}

/** A URL that cannot be decoded reaches no route, and no hook: so it may come while the server stops. */
export function answerMalformed(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  sendProblem(
    reply.header('connection', 'close'),
    request,
    error.statusCode ?? 400,
    'malformed',
    'The URL is malformed',
  );
}

const mustBeEncoded = {
  status: 400,
  code: 'malformed',
  message:
    'The URL holds a character that must be percent-encoded (as UTF-8): a blank is %20, é is %C3%A9. With curl: --get --data-urlencode',
};

/** By the code of the HTTP parser. */
const unreadable = new Map([
  [
    'HPE_HEADER_OVERFLOW',
    {
      status: 431,
      code: 'too_large',
      message: 'The request line and header are larger than the server accepts',
    },
  ],
  [
    'ERR_HTTP_REQUEST_TIMEOUT',
    { status: 408, code: 'malformed', message: 'The request did not arrive in time' },
  ],
  ['HPE_INVALID_URL', mustBeEncoded],
  // After a blank in the URL, where the version of HTTP should stand.
  ['HPE_INVALID_CONSTANT', mustBeEncoded],
]);

/** What is not even HTTP, or whose header is too large, gets an answer of the same shape; then the connection ends. */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, code, message } = unreadable.get(error.code ?? '') ?? {
    status: 400,
    code: 'malformed',
    message: 'The request is malformed',
  };
  const body = problemBody(status, code, message, randomUUID());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

export function sendProblem(
  reply: FastifyReply,
  request: FastifyRequest,
  status: number,
  code: string,
  message: string,
  errors?: readonly FieldError[],
): FastifyReply {
  return reply
    .status(status)
    .type('application/json')
    .send(problemBody(status, code, message, request.id, errors));
}

function problemBody(
  status: number,
  code: string,
  message: string,
  requestId: string,
  errors?: readonly FieldError[],
): string {
  return JSON.stringify({
    detail: errors ?? message,
    message,
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    code,
    request_id: requestId,
  });
}

function fromFastify(error: FastifyError): Problem | InvalidInput | undefined {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('too_large', 413, 'The request body is larger than the server accepts');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_BAD_URL':
      return new Problem('malformed', 400, 'The request is malformed');
    default:
      return typeof error.statusCode === 'number' && error.statusCode >= 400 && error.statusCode < 500
        ? new Problem('refused', error.statusCode, error.message)
        : undefined;
  }
}
