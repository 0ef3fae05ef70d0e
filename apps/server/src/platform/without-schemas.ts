import type { FastifyServerOptions } from 'fastify';

function refuse(): never {
  throw new Error('Requests are checked by the schemas of the contract, not by those of Fastify.');
}

/** Fastify's own validator and serializer are not used; loading them takes 80 ms of the processor at every start. */
export const withoutSchemas: NonNullable<FastifyServerOptions['schemaController']> = {
  compilersFactory: { buildValidator: () => refuse, buildSerializer: () => refuse },
};
