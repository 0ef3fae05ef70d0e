import { isIPv6 } from 'node:net';
import { BoundedMap } from './bounded-map.ts';
import { Problem } from './problem.ts';

/** Callers that are remembered at once; beyond it the longest silent one starts anew. */
const CAPACITY = 10_000;

/**
 * So many requests in so much time from one network address, in this process. Spent requests come back evenly, one
 * every `perMs / count`.
 */
export class RateLimit {
  readonly #perMs: number;
  readonly #spacingMs: number;
  /** Per address: the moment at which all its requests will have come back. */
  readonly #full = new BoundedMap<number>(CAPACITY);

  constructor(count: number, perMs: number) {
    this.#perMs = perMs;
    this.#spacingMs = perMs / count;
  }

  /** Counts a request, or refuses it with 429 and the time to wait. */
  take(address: string): void {
    const now = performance.now();
    const caller = callerOf(address);
    const full = Math.max(now, this.#full.get(caller) ?? 0) + this.#spacingMs;
    const waitMs = full - now - this.#perMs;
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      throw new Problem(
        'too_many_requests',
        429,
        `Too many requests: try again in ${seconds} second${seconds === 1 ? '' : 's'}`,
        { 'retry-after': String(seconds) },
      );
    }
    this.#full.set(caller, full);
  }
}

/** The address; of IPv6 the /64 network, because one subscriber has that many addresses. */
export function callerOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) {
    return address;
  }
  const [head = '', tail] = address.toLowerCase().replace(/%.*$/, '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill('0');
  return `${[...groups, ...zeros, ...rest]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
