/**
 * Makes a version of the product that is broken in one way, for the tests of the gates: loaded before it
 * (`NODE_OPTIONS=--import=…/fault.mjs`), told by FAULT which way. Programs that serve nothing are left as they are.
 */
import { Server } from 'node:http';

const API = '/api/v1/';
const LEAKED_BYTES = 50_000;
const BROKEN_ROUTE = /^PATCH \/api\/v1\/stages\//;

const answer = (response, status, body) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

/** Each takes a request and says whether it has dealt with it; else the product does. */
const faults = {
  /** It serves, but says of itself that it may not. */
  'never-ready': (request, response) => {
    if (request.url !== '/health/ready') return false;
    answer(response, 503, { status: 'fail', output: 'FAULT=never-ready' });
    return true;
  },
  /** Every fifth answer is 500. */
  errors: (() => {
    let requests = 0;
    return (request, response) => {
      if (!request.url.startsWith(API)) return false;
      requests += 1;
      if (requests % 5 !== 0) return false;
      request.resume();
      answer(response, 500, { detail: 'FAULT=errors', message: 'FAULT=errors' });
      return true;
    };
  })(),
  /** Before each request it waits for as long as such a one takes. */
  slow: (() => {
    const usual = new Map();
    return (request, response, go) => {
      if (!request.url.startsWith(API) || request.url.endsWith('/files')) return false;
      const route = `${request.method} ${request.url.replace(/\?.*/, '').replace(/\d+/g, 'n')}`;
      setTimeout(() => {
        const begin = performance.now();
        response.once('finish', () => {
          const took = performance.now() - begin;
          usual.set(route, usual.has(route) ? 0.8 * usual.get(route) + 0.2 * took : took);
        });
        go();
      }, usual.get(route) ?? 0);
      return true;
    };
  })(),
  /** It keeps something of each request. */
  leak: (() => {
    const kept = [];
    return (request) => {
      if (request.url.startsWith(API)) kept.push(Buffer.alloc(LEAKED_BYTES, 1));
      return false;
    };
  })(),
  /** One thing that people do does not work. */
  'broken-route': (request, response) => {
    if (!BROKEN_ROUTE.test(`${request.method} ${request.url}`)) return false;
    request.resume();
    answer(response, 500, { detail: 'FAULT=broken-route', message: 'FAULT=broken-route' });
    return true;
  },
};

/** A version that no gate can see, for what comes after the gates. */
Object.assign(faults, {
  /** From users alone every fifth request is answered with 500: what comes by the public port, from outside. */
  'errors-to-users': (() => {
    let requests = 0;
    return (request, response) => {
      if (request.headers['x-forwarded-proto'] !== 'https') return false;
      requests += 1;
      if (requests % 5 !== 0) return false;
      request.resume();
      answer(response, 500, { detail: 'FAULT=errors-to-users', message: 'FAULT=errors-to-users' });
      return true;
    };
  })(),
  /** Whoever asks it to stop has what was under way. */
  'no-drain': (() => {
    let armed = false;
    return () => {
      if (!armed) process.prependListener('SIGTERM', () => process.exit(1));
      armed = true;
      return false;
    };
  })(),
});

const fault = faults[process.env.FAULT];
if (!fault) throw new Error(`FAULT is one of ${Object.keys(faults).join(', ')}, not ${process.env.FAULT}`);

const emit = Server.prototype.emit;
Server.prototype.emit = function withFault(event, ...args) {
  if (event !== 'request') return emit.call(this, event, ...args);
  const [request, response] = args;
  return fault(request, response, () => emit.call(this, event, ...args)) || emit.call(this, event, ...args);
};
