import { createHash, randomBytes } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { SelfSigned } from '@calculaud/config/self-signed';

/** How an endpoint misbehaves; undefined: it does not. */
export type Fault =
  | 'breaks-connection'
  | 'never-answers'
  | 'status-500'
  | 'not-json'
  | 'wrong-types'
  | 'redirect'
  | 'endless';

export type Claims = Readonly<Record<string, unknown>>;

export interface SigningOptions {
  readonly algorithm?: string;
  /** Members of the protected header that differ; undefined leaves one out. */
  readonly header?: Readonly<Record<string, unknown>>;
}

export interface CodeOptions {
  /** PKCE, S256. */
  readonly challenge?: string;
}

export interface IdentityProvider {
  readonly issuer: string;
  readonly keysUrl: string;
  readonly tokenUrl: string;
  /** Switched by a test at any time. */
  readonly faults: { keys: Fault | undefined; token: Fault | undefined };
  /** What it was asked for. */
  readonly asked: { keys: number; readonly token: URLSearchParams[] };
  /** A token as it issues them, valid for five minutes; a claim that is undefined is left out. */
  sign(claims: Claims, options?: SigningOptions): Promise<string>;
  /** The public key of RS256 as PEM, as anybody may have it. */
  publicKey(): Promise<string>;
  /** From now on it signs with new keys and publishes only them. */
  rotateKeys(): void;
  /** A code for the token endpoint, which works once and gives tokens with these claims. */
  code(claims: Claims, options?: CodeOptions): string;
  /** The next answer of the token endpoint, whatever is asked. */
  answerOnce(status: number, body: unknown): void;
  close(): Promise<void>;
}

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

interface Grant {
  readonly claims: Claims;
  readonly challenge?: string;
}

const FIVE_MINUTES = 300;

/** A small OpenID Connect provider on loopback, real but for its sign-in page. */
export async function startIdentityProvider({
  tls,
}: {
  readonly tls?: SelfSigned;
} = {}): Promise<IdentityProvider> {
  const provider = new Provider();
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    provider.answer(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  };
  const server = tls ? createHttpsServer(tls, listener) : createHttpServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = addressOf(server.address());
  provider.issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  provider.stop = async () => {
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    server.closeAllConnections();
    await closed;
  };
  return provider;
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('The provider has no TCP address.');
  return address;
}

class Provider implements IdentityProvider {
  issuer = '';
  stop: () => Promise<void> = async () => undefined;
  readonly faults: IdentityProvider['faults'] = { keys: undefined, token: undefined };
  readonly asked: { keys: number; readonly token: URLSearchParams[] } = { keys: 0, token: [] };
  /** By algorithm; made when first needed. */
  #keys = new Map<string, Promise<SigningKey>>();
  readonly #codes = new Map<string, Grant>();
  readonly #refreshTokens = new Map<string, Grant>();
  readonly #prepared: { readonly status: number; readonly body: unknown }[] = [];

  get keysUrl(): string {
    return `${this.issuer}/keys`;
  }

  get tokenUrl(): string {
    return `${this.issuer}/token`;
  }

  async sign(claims: Claims, { algorithm = 'RS256', header = {} }: SigningOptions = {}): Promise<string> {
    const { kid, privateKey } = await this.#key(algorithm);
    const now = Math.floor(Date.now() / 1000);
    const defaults = { iss: this.issuer, sub: 'somebody', iat: now, exp: now + FIVE_MINUTES };
    return new SignJWT(present({ ...defaults, ...claims }))
      .setProtectedHeader({ alg: algorithm, ...present({ kid, ...header }) })
      .sign(privateKey);
  }

  async publicKey(): Promise<string> {
    return exportSPKI((await this.#key('RS256')).publicKey);
  }

  rotateKeys(): void {
    this.#keys = new Map();
  }

  code(claims: Claims, { challenge }: CodeOptions = {}): string {
    const code = randomText();
    this.#codes.set(code, challenge === undefined ? { claims } : { claims, challenge });
    return code;
  }

  answerOnce(status: number, body: unknown): void {
    this.#prepared.push({ status, body });
  }

  async close(): Promise<void> {
    await this.stop();
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (`${request.method} ${request.url}`) {
      case 'GET /.well-known/openid-configuration':
        return send(response, 200, {
          issuer: this.issuer,
          jwks_uri: this.keysUrl,
          token_endpoint: this.tokenUrl,
        });
      case 'GET /keys':
        this.asked.keys += 1;
        return this.faults.keys
          ? misbehave(this.faults.keys, response)
          : send(response, 200, { keys: await this.#publishedKeys() });
      case 'POST /token': {
        const form = new URLSearchParams(await bodyOf(request));
        this.asked.token.push(form);
        if (this.faults.token) return misbehave(this.faults.token, response);
        const prepared = this.#prepared.shift();
        if (prepared) return send(response, prepared.status, prepared.body);
        return this.#exchange(form, response);
      }
      default:
        return send(response, 404, { error: 'not_found' });
    }
  }

  #key(algorithm: string): Promise<SigningKey> {
    const existing = this.#keys.get(algorithm);
    if (existing) return existing;
    const made = generateKeyPair(algorithm, { extractable: true }).then((pair) => ({
      kid: randomText(),
      ...pair,
    }));
    this.#keys.set(algorithm, made);
    return made;
  }

  async #publishedKeys(): Promise<JWK[]> {
    return Promise.all(
      [...this.#keys].map(async ([alg, key]) => {
        const { kid, publicKey } = await key;
        return { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
      }),
    );
  }

  async #exchange(form: URLSearchParams, response: ServerResponse): Promise<void> {
    const renewal = form.get('grant_type') === 'refresh_token';
    const grants = renewal ? this.#refreshTokens : this.#codes;
    const secret = form.get(renewal ? 'refresh_token' : 'code') ?? '';
    const grant = grants.get(secret);
    grants.delete(secret);
    const verifier = form.get('code_verifier') ?? '';
    const verified =
      grant?.challenge === undefined ||
      grant.challenge === createHash('sha256').update(verifier).digest('base64url');
    if (!grant || !verified) {
      const description = 'The code or refresh token is unknown, used or expired';
      return send(response, 400, { error: 'invalid_grant', error_description: description });
    }
    const refreshToken = randomText();
    this.#refreshTokens.set(refreshToken, { claims: grant.claims });
    return send(response, 200, {
      access_token: await this.sign(grant.claims),
      id_token: await this.sign({ aud: form.get('client_id'), ...grant.claims }),
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: FIVE_MINUTES,
    });
  }
}

function misbehave(fault: Fault, response: ServerResponse): void {
  switch (fault) {
    case 'breaks-connection':
      response.destroy();
      return;
    case 'never-answers':
      return;
    case 'status-500':
      send(response, 500, { error: 'server_error' });
      return;
    case 'not-json':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Please come back later</html>');
      return;
    case 'wrong-types':
      send(response, 200, { keys: 'none', access_token: 7, expires_in: 'soon' });
      return;
    case 'redirect':
      response.writeHead(307, { location: '/elsewhere' }).end();
      return;
    case 'endless':
      response.writeHead(200, { 'content-type': 'application/json' }).write('[');
      pour(response);
  }
}

/** Goes on until the other side has enough. */
function pour(response: ServerResponse): void {
  const chunk = '0,'.repeat(32_768);
  while (!response.destroyed && response.write(chunk));
  if (!response.destroyed) response.once('drain', () => pour(response));
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) text += String(chunk);
  return text;
}

function present(members: Claims): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function randomText(): string {
  return randomBytes(16).toString('base64url');
}
