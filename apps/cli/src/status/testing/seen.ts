import type { Seen, SeenAnswer, SeenInstance, SeenService } from '../seen.ts';

/** An environment in which everything is as it should be: green answers, blue is kept, the worker works. */

const AT = '2026-11-23T17:50:00.000Z';

export function answer(given: Partial<SeenAnswer> = {}): SeenAnswer {
  return {
    ready: true,
    draining: false,
    version: '1.4.0',
    commit: '0123456789abcdef0123456789abcdef01234567',
    checks: [
      { check: 'postgresql:responseTime', status: 'pass', ms: 2, output: null },
      { check: 'schema:version', status: 'pass', ms: 3, output: null },
      { check: 'storage:availability', status: 'pass', ms: 0, output: null },
    ],
    ...given,
  };
}

export function instance(name: string, given: Partial<SeenInstance> = {}): SeenInstance {
  return {
    instance: name,
    host: 'host-a',
    image: 'calculaud:1.4.0',
    state: 'running',
    since: AT,
    problem: null,
    health: 'healthy',
    answer: null,
    silent: false,
    ...given,
  };
}

export function service(
  name: string,
  instances: readonly SeenInstance[],
  given: Partial<SeenService> = {},
): SeenService {
  return {
    service: name,
    image: 'calculaud:1.4.0',
    wanted: instances.length,
    instances,
    ended: null,
    last_lines: [],
    ...given,
  };
}

const before = answer({ version: '1.3.9', commit: null });

export const healthy: Seen = {
  at: AT,
  environment: {
    name: 'production',
    kind: 'production',
    domain: 'calculaud.example.org',
    stack: 'calculaud-production',
  },
  release: {
    active: 'green',
    blue: { image: 'calculaud:1.3.9', replicas: 1 },
    green: { image: 'calculaud:1.4.0', replicas: 2 },
    worker: { image: 'calculaud:1.4.0' },
    migration: null,
    gateway: { image: 'calculaud-gateway:1', config: 'haproxy_1' },
    secrets: {},
  },
  configured: { api: 2, worker: 1, image: 'calculaud:1.4.0' },
  services: [
    service('gateway', [instance('gateway.1')], { image: 'calculaud-gateway:1' }),
    service('api-blue', [instance('api-blue.1', { answer: before })], { image: 'calculaud:1.3.9' }),
    service('api-green', [
      instance('api-green.1', { answer: answer() }),
      instance('api-green.2', { answer: answer(), host: 'host-b' }),
    ]),
    service('worker', [instance('worker.1', { answer: answer() })]),
    service('database', [instance('database.1')], { image: 'postgres:18.6' }),
  ],
  gateway: {
    running: { active: 'green', next: null, canary: 0 },
    on_disk: { active: 'green', next: null, canary: 0 },
    ready: { blue: 1, green: 2 },
    outdated: false,
  },
  database: { kind: 'bundled', accepts: true },
  drift: [],
  deployment: null,
  lock: null,
  ledger: {
    length: 7,
    last: { n: 7, command: 'deploy calculaud:1.4.0', outcome: 'done', who: 'dana@laptop', at: AT },
    problems: [],
  },
  hosts: ['host-a', 'host-b'].map((name, index) => ({
    name,
    docker: `ssh://root@${name}`,
    away: null,
    node: {
      state: 'ready',
      availability: 'active',
      role: index === 0 ? 'manager' : 'worker',
      leader: index === 0,
      engine: '28.2.2',
    },
    disks: [{ holds: ['Docker'], free_bytes: 70e9, size_bytes: 250e9 }],
  })),
  unseen: [],
};

/** The same, with one service in place of the one of its name. */
export function withService(changed: SeenService): Seen {
  return {
    ...healthy,
    services: healthy.services.map((one) => (one.service === changed.service ? changed : one)),
  };
}
