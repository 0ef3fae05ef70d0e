import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isOverloaded } from './overload.ts';
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

/** What is not even HTTP, or whose header is too large, gets an answer of the same shape; then the connection ends. */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const timedOut = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = tooLarge ? 431 : timedOut ? 408 : 400;
  const message = tooLarge
    ? 'The request line and header are larger than the server accepts'
    : timedOut
      ? 'The request did not arrive in time'
      : 'The request is malformed';
  const body = problemBody(status, tooLarge ? 'too_large' : 'malformed', message, randomUUID());
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
