import type { FastifyBaseLogger } from 'fastify';
import { createLocalJWKSet, errors, type FlattenedJWSInput, type JWTHeaderParameters } from 'jose';
import { z } from 'zod';
import { responseText } from '../platform/response-text.ts';

export interface KeyTiming {
  /** Longest wait for the key set. */
  readonly timeoutMs: number;
  /** Shortest time between two loads that unknown keys ask for, so that forged tokens cannot flood the provider. */
  readonly coolDownMs: number;
  /** After a failure nothing is asked for this long. */
  readonly retryMs: number;
  /** Keys of this age are loaded again, while requests go on with those that are there. */
  readonly refreshMs: number;
  /** Keys of this age are not used any more: a shorter outage of the provider is not noticed. */
  readonly maxAgeMs: number;
}

export const keyTiming: KeyTiming = {
  timeoutMs: 5_000,
  coolDownMs: 30_000,
  retryMs: 5_000,
  refreshMs: 10 * 60_000,
  maxAgeMs: 60 * 60_000,
};

const MAX_KEY_SET_BYTES = 1024 * 1024;

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/** The identity provider does not give us its keys. Says nothing about the token. */
export class KeysUnavailable extends Error {}

type Keys = ReturnType<typeof createLocalJWKSet>;
type Key = Awaited<ReturnType<Keys>>;

/** The public keys of the identity provider, loaded when first needed and kept up to date. */
export class SigningKeys {
  readonly #url: string;
  readonly #timing: KeyTiming;
  #keys: Keys | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<Keys> | undefined;

  constructor(url: string, timing: KeyTiming) {
    this.#url = url;
    this.#timing = timing;
  }

  /** The key that the token names. An unknown one is looked for in a fresh set: the provider may have changed keys. */
  async find(header: JWTHeaderParameters, token: FlattenedJWSInput, log: FastifyBaseLogger): Promise<Key> {
    const keys = await this.#current(log);
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || this.#age() < this.#timing.coolDownMs) {
        throw error;
      }
    }
    const fresh = await this.#load(log);
    return fresh(header, token);
  }

  async #current(log: FastifyBaseLogger): Promise<Keys> {
    const age = this.#age();
    if (this.#keys === undefined || age >= this.#timing.maxAgeMs) {
      return this.#load(log);
    }
    if (age >= this.#timing.refreshMs) {
      // Nobody waits for it, and it has logged its failure.
      this.#load(log).catch(() => undefined);
    }
    return this.#keys;
  }

  #age(): number {
    return performance.now() - this.#loadedAt;
  }

  /** One load at a time, which all who need it share. */
  async #load(log: FastifyBaseLogger): Promise<Keys> {
    if (performance.now() - this.#failedAt < this.#timing.retryMs) {
      throw new KeysUnavailable();
    }
    this.#loading ??= this.#fetch()
      .catch((error: unknown) => {
        this.#failedAt = performance.now();
        log.warn({ err: error }, 'the identity provider does not give us its signing keys');
        throw new KeysUnavailable();
      })
      .finally(() => {
        this.#loading = undefined;
      });
    return this.#loading;
  }

  /** Node's fetch checks the certificate of the provider; a redirect is an answer that is not expected. */
  async #fetch(): Promise<Keys> {
    const response = await fetch(this.#url, {
      headers: { accept: 'application/json, application/jwk-set+json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(this.#timing.timeoutMs),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the key set was answered with status ${response.status}`);
    }
    const keys = createLocalJWKSet(keySet.parse(JSON.parse(await responseText(response, MAX_KEY_SET_BYTES))));
    this.#keys = keys;
    this.#loadedAt = performance.now();
    return keys;
  }
}
