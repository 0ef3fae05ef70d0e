import { describe, expect, test } from 'vitest';
import { assess } from './findings.ts';
import type { Seen } from './seen.ts';
import { answer, healthy, instance, service, withService } from './testing/seen.ts';

/** What is found, one line each: `wrong: words → command`. */
function found(seen: Seen, choice = ''): string[] {
  return assess(seen, choice).findings.map(
    ({ kind, words, command }) => `${kind}: ${words}${command === null ? '' : ` → ${command}`}`,
  );
}

const living = { who: 'dana@laptop', command: 'deploy calculaud:1.5.0', since: healthy.at, alive: true };
const begun = {
  command: 'deploy calculaud:1.5.0',
  who: 'dana@laptop',
  started_at: healthy.at,
  direction: 'apply',
  reason: null,
  steps: 8,
  done: 3,
} as const;
const gateway = healthy.gateway ?? expect.fail('the fixture has a gateway');
const [hostA, hostB] = healthy.hosts;
if (!hostA || !hostB) throw new Error('the fixture has two hosts');

test('where everything is as it should be, nothing is found', () => {
  expect(assess(healthy, '')).toEqual({ verdict: 'healthy', findings: [], notes: [] });
});

describe('before the first deployment', () => {
  const empty: Seen = { ...healthy, release: null, services: [], gateway: null, drift: [] };

  test('that is what there is to say', () => {
    expect(found({ ...empty, database: { kind: 'bundled', accepts: null } }, ' --to production')).toEqual([
      'wrong: Nothing is deployed in production yet. → calculaud deploy --to production',
    ]);
  });

  test('a stack that is gone is told once, not service by service', () => {
    const drift = [{ service: 'worker', words: 'is missing' }];
    expect(found({ ...empty, release: healthy.release, drift })).toEqual([
      'wrong: The stack calculaud-production is gone: none of its services is there. → calculaud deploy',
    ]);
  });

  test('a stack that came from somewhere else is not taken for ours', () => {
    expect(found({ ...healthy, release: null })[0]).toMatch(/was not deployed by calculaud/);
  });

  test('one that is under way is no fault', () => {
    expect(assess({ ...empty, lock: living }, '').verdict).toBe('healthy');
  });
});

describe('who answers users', () => {
  test.each<[string, Partial<Seen>, string]>([
    [
      'no gateway',
      {
        services: healthy.services.map((one) =>
          one.service === 'gateway' ? { ...one, wanted: 0, instances: [] } : one,
        ),
        gateway: null,
      },
      'wrong: Nobody is answered: no gateway runs. → calculaud logs gateway',
    ],
    [
      'no server of the colour',
      { gateway: { ...gateway, ready: { blue: 1, green: 0 } } },
      'wrong: Nobody is answered: the gateway finds no server of green ready. → calculaud logs api-green',
    ],
    [
      'the other colour',
      { gateway: { ...gateway, running: { active: 'blue', next: null, canary: 0 } } },
      'wrong: Traffic goes to blue, but green was released. → calculaud deploy',
    ],
    [
      'a map that names nobody',
      { gateway: { ...gateway, running: { active: null, next: null, canary: 0 } } },
      'wrong: Traffic goes to whoever is ready, but green was released. → calculaud deploy',
    ],
    [
      'a canary that somebody forgot',
      { gateway: { ...gateway, running: { active: 'green', next: 'blue', canary: 10 } } },
      'wrong: 10 % of the traffic goes to blue, and no deployment is under way. → calculaud deploy',
    ],
    [
      'a file that says something else',
      { gateway: { ...gateway, on_disk: { active: 'blue', next: null, canary: 0 } } },
      'wrong: After a restart of the gateway traffic would go to blue. → calculaud deploy',
    ],
    [
      'an old configuration',
      { gateway: { ...gateway, outdated: true } },
      'wrong: The gateway runs with another configuration than calculaud.yml stands for. → calculaud deploy',
    ],
  ])('%s', (_, change, expected) => {
    expect(found({ ...healthy, ...change })[0]).toBe(expected);
  });

  test('a canary of a deployment that is under way is none', () => {
    const canary = { ...gateway, running: { active: 'green', next: 'blue', canary: 10 } as const };
    expect(found({ ...healthy, gateway: canary, lock: living, deployment: begun })).toEqual([]);
  });
});

describe('services', () => {
  test('a missing container is told with the reason, what ended before it, and its last lines', () => {
    const waiting = instance('worker.1', {
      state: 'pending',
      problem: 'no suitable node (insufficient resources on 1 node)',
      health: null,
    });
    const ended = { instance: 'worker.1', at: healthy.at, why: 'non-zero exit (137)' };
    const seen = withService(service('worker', [waiting], { ended, last_lines: ['out of memory'] }));
    expect(found(seen)).toEqual([
      'wrong: worker: 0 of 1 run; worker.1 is pending (no suitable node (insufficient resources on 1 node)); ' +
        'worker.1 ended at 2026-11-23 17:50:00 UTC: non-zero exit (137). → calculaud logs worker',
    ]);
    expect(assess(seen, '').findings[0]?.lines).toEqual(['out of memory']);
  });

  test('what several say alike is said once', () => {
    const failed = {
      check: 'postgresql:responseTime',
      status: 'fail',
      ms: 1000,
      output: 'no answer within 1000 ms',
    } as const;
    const schema = { ...failed, check: 'schema:version' };
    const cut = answer({ ready: false, checks: [failed, schema] });
    const names = ['api-green.1', 'api-green.2'];
    const seen = withService(
      service(
        'api-green',
        names.map((name) => instance(name, { answer: cut })),
      ),
    );
    expect(found(seen)).toEqual([
      'wrong: api-green: api-green.1, api-green.2: cannot use the database (no answer within 1000 ms). → calculaud logs api-green',
    ]);
  });

  test.each([
    ['is unhealthy', { health: 'unhealthy' }],
    ['does not answer on its management port', { silent: true }],
    ['is stopping', { answer: answer({ ready: false, draining: true }) }],
    [
      'cannot move files (disk full)',
      {
        answer: answer({
          checks: [{ check: 'storage:availability', status: 'warn', ms: 1, output: 'disk full' }],
        }),
      },
    ],
  ] as const)('an instance that %s is told', (words, given) => {
    const seen = withService(service('worker', [instance('worker.1', given)]));
    expect(found(seen)).toEqual([`wrong: worker: worker.1: ${words}. → calculaud logs worker`]);
  });

  test('two builds under one name are told', () => {
    const other = answer({ commit: 'f'.repeat(40) });
    const seen = withService(
      service('worker', [
        instance('worker.1', { answer: answer() }),
        instance('worker.2', { answer: other, host: 'host-b' }),
      ]),
    );
    expect(found(seen)[0]).toMatch(/^wrong: worker answers as different versions: 1\.4\.0 \(0123/);
  });

  test('one that was replaced is a note', () => {
    const ended = { instance: 'worker.1', at: healthy.at, why: 'non-zero exit (1)' };
    const seen = withService(service('worker', [instance('worker.1', { answer: answer() })], { ended }));
    expect(assess(seen, '')).toMatchObject({
      verdict: 'healthy',
      notes: ['worker.1 ended at 2026-11-23 17:50:00 UTC (non-zero exit (1)), and was replaced.'],
    });
  });

  test('containers that come during a deployment are no fault, those that fail are', () => {
    const starting = instance('api-blue.2', { state: 'starting' });
    const blue = (one: typeof starting) => service('api-blue', [instance('api-blue.1'), one]);
    expect(found({ ...withService(blue(starting)), lock: living, deployment: begun })).toEqual([]);
    const sick = instance('api-blue.2', { health: 'unhealthy' });
    expect(found({ ...withService(blue(sick)), lock: living, deployment: begun })).toHaveLength(1);
  });
});

describe('the database', () => {
  test.each<[string, Seen]>([
    ['The database takes no connections.', { ...healthy, database: { kind: 'bundled', accepts: false } }],
    [
      'The database does not run.',
      {
        ...withService(service('database', [], { wanted: 1 })),
        database: { kind: 'bundled', accepts: null },
      },
    ],
  ])('%s', (words, seen) => {
    expect(found(seen)[0]).toBe(`wrong: ${words} → calculaud logs database`);
  });

  test('an external one is known from those who use it', () => {
    expect(found({ ...healthy, database: { kind: 'external', accepts: null } })).toEqual([]);
  });
});

describe('deployments', () => {
  test('one that nobody works on any more is told with the ways out of it', () => {
    expect(found({ ...healthy, deployment: begun }, ' --to production')).toEqual([
      'wrong: "deploy calculaud:1.5.0" of dana@laptop, begun at 2026-11-23 17:50:00 UTC, was not finished: 3 of 8 steps are done. ' +
        'Finish it, or undo it with `calculaud deploy abort --to production`. → calculaud deploy resume --to production',
    ]);
  });

  test('one that somebody works on is a note, and what differs meanwhile is no drift', () => {
    const drift = [{ service: 'worker', words: 'differs in its image' }];
    expect(assess({ ...healthy, deployment: begun, lock: living, drift }, '')).toEqual({
      verdict: 'healthy',
      findings: [],
      notes: [
        'dana@laptop is at work since 2026-11-23 17:50:00 UTC: "deploy calculaud:1.5.0", 3 of 8 steps are done.',
      ],
    });
  });

  test('drift is told service by service', () => {
    const drift = [{ service: 'worker', words: 'is missing' }];
    expect(found({ ...healthy, drift })).toEqual(['wrong: worker is missing. → calculaud deploy']);
  });

  test('a ledger that does not hold together is told', () => {
    const ledger = { ...healthy.ledger, problems: ['Entry 3 is missing'] };
    expect(found({ ...healthy, ledger })).toEqual([
      'wrong: The ledger: Entry 3 is missing. → calculaud history',
    ]);
  });

  test('what was scaled, and a configuration that is ahead, are notes', () => {
    const configured = { api: 3, worker: 1, image: 'calculaud:1.5.0' };
    const worker = { image: 'calculaud:1.4.0', replicas: 4 };
    const release = healthy.release && { ...healthy.release, worker };
    expect(assess({ ...healthy, configured, release }, '')).toMatchObject({
      verdict: 'healthy',
      notes: [
        expect.stringMatching(/^api is scaled to 2; the configuration of production says 3/),
        expect.stringMatching(/^worker is scaled to 4; the configuration of production says 1/),
        expect.stringMatching(/names another image: calculaud:1\.5\.0/),
      ],
    });
  });
});

describe('hosts', () => {
  const away = { why: 'ssh: connect to host host-b port 22: No route to host', hint: 'Look at it.' };
  const hosts = (changed: Partial<typeof hostB>) => ({
    ...healthy,
    hosts: [hostA, { ...hostB, ...changed }],
  });

  test('one that only we cannot reach leaves parts unverified', () => {
    const assessment = assess(hosts({ away }), '');
    expect(assessment.verdict).toBe('unverified');
    expect(assessment.findings[0]?.words).toMatch(/^Host host-b cannot be asked from here: ssh: connect/);
  });

  test.each<[string, Partial<typeof hostB>, string]>([
    [
      'down',
      { node: { ...node(), state: 'down' }, away },
      'Host host-b is down, say the managers. Nor does it answer here: ssh: connect to host host-b port 22: No route to ' +
        'host. → Start it again. Is it lost for good, take it out of `hosts` in calculaud.yml, and then ' +
        '`docker node rm --force host-b` on a manager.',
    ],
    [
      'a manager that is down',
      { node: { ...node(), state: 'down', role: 'manager' }, away },
      'Host host-b is down, say the managers. Nor does it answer here: ssh: connect to host host-b port 22: No route to ' +
        'host. → Start it again. Is it lost for good, take it out of `hosts` in calculaud.yml, and then ' +
        '`docker node demote host-b && docker node rm --force host-b` on a manager.',
    ],
    [
      'cut off from the managers alone',
      { node: { ...node(), state: 'down' } },
      'Host host-b is down, say the managers. → Look whether it reaches the managers: TCP 2377, TCP and UDP 7946, UDP 4789.',
    ],
    [
      'drained',
      { node: { ...node(), availability: 'drain' } },
      'Host host-b takes no containers (drain). → docker node update --availability active host-b',
    ],
    ['no node', { node: null }, 'Host host-b is no node of the Swarm.'],
    [
      'full',
      { disks: [{ holds: ['Docker', 'database'], free_bytes: 0.5e9, size_bytes: 250e9 }] },
      'The disk of host-b (Docker, database) has 0.5 GB of 250 GB left. → docker system df',
    ],
  ])('one that is %s is wrong', (_, change, words) => {
    expect(found(hosts(change))).toEqual([`wrong: ${words}`]);
  });

  test.each([
    [6e9, 100e9],
    [1.1e9, 10e9],
    [11e9, 4000e9],
  ])('%i bytes free of %i are enough', (free_bytes, size_bytes) => {
    expect(found(hosts({ disks: [{ holds: ['Docker'], free_bytes, size_bytes }] }))).toEqual([]);
  });

  test('a container on a host that the configuration does not know could not be looked at', () => {
    const stranger = instance('worker.1', { host: 'host-c', health: null });
    expect(found(withService(service('worker', [stranger])))).toEqual([
      'unknown: worker.1: on host-c, which is no host of calculaud.yml.',
    ]);
  });
});

test('what is wrong comes before what could not be looked at, and decides', () => {
  const unseen = [{ what: 'the ledger', why: 'it broke off' }];
  expect(assess({ ...healthy, unseen }, '').verdict).toBe('unverified');
  const both = assess({ ...healthy, unseen, drift: [{ service: 'worker', words: 'is missing' }] }, '');
  expect(both.verdict).toBe('wrong');
  expect(both.findings.map(({ kind }) => kind)).toEqual(['wrong', 'unknown']);
});

function node() {
  if (!hostB?.node) throw new Error('the fixture has nodes');
  return hostB.node;
}
