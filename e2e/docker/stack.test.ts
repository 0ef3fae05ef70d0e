import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { selfSignedCertificate } from '@calculaud/config/self-signed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { loadEnvironment } from '../../apps/cli/src/environment/file.ts';
import { renderJob } from '../../apps/cli/src/stack/job.ts';
import { DATABASE_USER } from '../../apps/cli/src/stack/names.ts';
import { initialState } from '../../apps/cli/src/stack/render.ts';
import { calculaud } from '../../apps/cli/src/testing/command-line.ts';
import { type ContainerFacts, factsOf, findings } from './container-policy.ts';
import { dockerDaemon } from './daemon.ts';
import { images } from './images.ts';
import { type Answer, type StackEnvironment, stackEnvironment } from './stack-environment.ts';

/** Everything that a stack can have of its own: a pooler, an S3 server. */
let environment: StackEnvironment;
beforeAll(async () => {
  const { host } = await dockerDaemon();
  environment = await stackEnvironment(host, 'whole', {
    https: 21_443,
    database: { kind: 'bundled', image: images.postgres, pooler: true, pooler_image: images.pooler },
    storage: { kind: 'bundled-s3', image: images.storage },
  });
  await smallDiskForTheDatabase();
});
afterAll(async () => {
  await environment.remove();
});

/** In memory, and small enough to be filled; it goes with the last container that has it, so one that does nothing has it, too. */
async function smallDiskForTheDatabase(): Promise<void> {
  const { stack } = environment;
  const owner = `size=${DATABASE_DISK},uid=${DATABASE_USER},gid=${DATABASE_USER},mode=0700`;
  const options = ['type=tmpfs', 'device=tmpfs', `o=${owner}`].flatMap((option) => ['--opt', option]);
  await environment.docker('volume', 'create', ...options, `${stack}_database`);
  const disk = `type=volume,source=${stack}_database,target=/disk,volume-nocopy`;
  const holder = ['--detach', '--name', `${stack}-disk`, '--mount', disk, '--entrypoint', 'sleep'];
  await environment.docker('run', ...holder, images.postgres, 'infinity');
}
const DATABASE_DISK = '320m';

const SERVICES = ['gateway', 'api-blue', 'worker', 'database', 'pooler', 'storage'];

async function answering(path = '/health'): Promise<true | undefined> {
  return (await environment.get(path)).status === 200 ? true : undefined;
}

/** What the management port of the API says, asked from within its container. */
async function readiness(): Promise<{ readonly status: number; readonly body: string }> {
  const [api = ''] = await environment.containers('api-blue');
  const ask = `fetch('http://127.0.0.1:9090/health/ready').then(async (answer) =>
    console.log(JSON.stringify({ status: answer.status, body: await answer.text() })))`;
  const said: unknown = JSON.parse(await environment.docker('exec', api, 'node', '--eval', ask));
  return z.object({ status: z.number(), body: z.string() }).parse(said);
}

test('from nothing to healthy: init, render, docker stack deploy', async () => {
  const started = performance.now();
  await environment.deploy();
  await environment.until('an answer through the gateway', 'api-blue', answering, 120_000);
  for (const service of SERVICES) {
    await environment.until(`a healthy ${service}`, service, async () => {
      const [id = ''] = await environment.containers(service);
      const health = await environment.docker('inspect', '--format', '{{.State.Health.Status}}', id);
      return health === 'healthy' || undefined;
    });
  }
  console.log(`From nothing to healthy: ${((performance.now() - started) / 1000).toFixed(1)} s`);

  const again = await calculaud(`init --file ${environment.file} --plan --json`);
  expect(again).toMatchObject({ exitCode: 0 });
  expect(again.events()).toMatchObject([{ event: 'plan', secrets: [], configs: [] }, { event: 'verified' }]);
});

test('people can work: sign in, purposes, purchases, files in S3, through pooler and gateway', async () => {
  const [api = ''] = await environment.containers('api-blue');
  const token = await environment.docker(
    'exec',
    api,
    'entrypoint',
    'calculaud',
    'token',
    'create',
    '--role',
    'admin',
    '--name',
    'stack-test',
  );
  const journey = await environment.docker(
    'run',
    '--rm',
    '--network',
    `${environment.stack}_front`,
    '--env',
    `CALCULAUD_API_TOKEN=${token}`,
    images.app,
    'calculaud',
    'journey',
    '--json',
    '--rounds',
    '3',
    '--url',
    'http://stack.example.org',
    '--connect',
    'gateway:8083',
  );
  const rounds = journey.split('\n').map((line): unknown => JSON.parse(line));
  expect(
    rounds.filter(
      (event) => z.object({ event: z.literal('journey'), ok: z.literal(true) }).safeParse(event).success,
    ),
  ).toHaveLength(3);
});

test('the database goes and comes back: health tells the truth, nothing is restarted, no hand is needed', async () => {
  const before = [...(await environment.containers('api-blue')), ...(await environment.containers('worker'))];
  expect(await readiness()).toMatchObject({ status: 200 });

  await environment.docker('service', 'scale', '--detach', `${environment.stack}_database=0`);
  await environment.until(
    'red readiness',
    'api-blue',
    async () => (await readiness()).status === 503 || undefined,
  );
  expect((await readiness()).body).toContain('postgresql');
  // Nobody else is there, so it is asked all the same, and says by itself what is wrong.
  const answer = await environment.until('the truth for everybody', 'gateway', async () => {
    const { status, body } = await environment.get('/health');
    return status === 503 ? body : undefined;
  });
  expect(JSON.parse(answer)).toMatchObject({ status: 'unhealthy', database: 'fail' });
  // Longer than liveness would have needed to give up: an outage of the database must restart nobody.
  const outage = performance.now() + 15_000;
  await environment.until(
    'the end of the outage',
    'api-blue',
    async () => performance.now() > outage || undefined,
  );

  await environment.docker('service', 'scale', '--detach', `${environment.stack}_database=1`);
  await environment.until('answers again', 'api-blue', answering);
  expect(await readiness()).toMatchObject({ status: 200 });
  const after = [...(await environment.containers('api-blue')), ...(await environment.containers('worker'))];
  expect(after).toEqual(before);
});

test('a full disk: nobody is told that something was stored which was not; with room again it goes on by itself', async () => {
  const [database = ''] = await environment.containers('database');
  const [api = ''] = await environment.containers('api-blue');
  const create = `entrypoint calculaud token create --role admin --name full-disk`.split(' ');
  const authorization = `Bearer ${await environment.docker('exec', api, ...create)}`;
  const write = async (description: string): Promise<Answer> =>
    environment.post('/api/v1/purposes/', { description }, { authorization });
  const stored: number[] = [];
  const note = ({ status, body }: Answer): void => {
    if (status === 201) stored.push(z.object({ id: z.number() }).parse(JSON.parse(body)).id);
  };
  note(await write('before'));

  const filler = '/var/lib/postgresql/filler';
  await environment.docker(
    'exec',
    database,
    'sh',
    '-c',
    `dd if=/dev/zero of=${filler} bs=1M 2>/dev/null || true`,
  );
  const refusals: Answer[] = [];
  await environment.until('a refusal for want of room', 'api-blue', async () => {
    // What cannot be compressed, so that its table soon needs another block.
    const answer = await write(randomBytes(700).toString('hex'));
    note(answer);
    if (answer.status !== 201) refusals.push(answer);
    return answer.status === 507 || undefined;
  });
  expect(refusals.every(({ status }) => [503, 507].includes(status))).toBe(true);
  const refusal = refusals.find(({ status }) => status === 507);
  expect(JSON.parse(refusal?.body ?? '{}')).toMatchObject({ code: 'no_room', status: 507 });

  await environment.docker('exec', database, 'rm', filler);
  await environment.until('a write that is stored', 'api-blue', async () => {
    const answer = await write('after');
    note(answer);
    return answer.status === 201 || undefined;
  });
  expect(stored.length).toBeGreaterThan(1);
  for (const id of stored) {
    expect((await environment.get(`/api/v1/purposes/${id}`, { headers: { authorization } })).status).toBe(
      200,
    );
  }
  expect(await readiness()).toMatchObject({ status: 200 });
});

test('every container keeps the rules of the CIS Docker Benchmark, or has a reason', async () => {
  const facts = await Promise.all(SERVICES.map(async (service) => containerFacts(service)));
  expect(findings(facts)).toEqual([]);
});

test('a container without a wall is found by the same rules', async () => {
  const id = await environment.docker(
    'run',
    '--detach',
    '--user',
    '0',
    '--pid',
    'host',
    '--entrypoint',
    'sleep',
    images.app,
    '60',
  );
  try {
    const found = findings([await factsOf(environment.docker, 'careless', id)]).map(
      (finding) => finding.split(' ')[0],
    );
    expect(found).toEqual(
      expect.arrayContaining(['4.1', '5.3', '5.9,', '5.10', '5.11', '5.12', '5.28', '5.29']),
    );
  } finally {
    await environment.docker('rm', '--force', id);
  }
});

async function containerFacts(service: string): Promise<ContainerFacts> {
  const [id = ''] = await environment.containers(service);
  return factsOf(environment.docker, service, id);
}

test('a job runs as the owner of the database, once, and its output can be read', async () => {
  const config = loadEnvironment({ file: environment.file });
  const job = { name: 'job-status', image: images.app, command: ['calculaud', 'db', 'status'] };
  const service = await environment.docker(...renderJob(config, initialState(config), job));
  try {
    const ended = await environment.until('the end of the job', 'database', async () => {
      const state = await environment.docker('service', 'ps', '--format', '{{.CurrentState}}', service);
      return /^(Complete|Failed)/.exec(state)?.[0];
    });
    const logs = await environment.docker('service', 'logs', '--raw', service);
    expect({ ended, logs }).toMatchObject({
      ended: 'Complete',
      logs: expect.stringContaining('The database is as this version needs it.'),
    });
  } finally {
    await environment.docker('service', 'rm', service);
  }
});

describe('the gateway', () => {
  test('leads to https, speaks HTTP/2, and adds what browsers need', async () => {
    const redirect = await environment.docker(
      'run',
      '--rm',
      '--network',
      `${environment.stack}_front`,
      '--entrypoint',
      'node',
      images.app,
      '--eval',
      `fetch('http://gateway:8080/a?b=c', { redirect: 'manual' }).then((r) => console.log(r.status, r.headers.get('location')))`,
    );
    expect(redirect).toBe('308 https://stack.example.org:21443/a?b=c');

    const session = connect(`https://127.0.0.1:21443`, { rejectUnauthorized: false });
    const request = session.request({ ':path': '/health', ':authority': 'stack.example.org' });
    const [answer] = z
      .tuple([z.looseObject({ ':status': z.number() })])
      .rest(z.unknown())
      .parse(await once(request, 'response'));
    expect(answer[':status']).toBe(200);
    session.destroy();

    const { headers } = await environment.get('/health');
    expect(headers).toMatchObject({
      'strict-transport-security': 'max-age=31536000',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    expect(headers).not.toHaveProperty('server');
  });

  test('answers to its own name only', async () => {
    const stranger = await environment.get('/health', { headers: { host: 'evil.example.org' } });
    expect(stranger).toMatchObject({ status: 421, body: '{"detail":"This is stack.example.org."}' });
  });

  test('takes a new certificate into use while requests run, and refuses one that is no good', async () => {
    const [gateway = ''] = await environment.containers('gateway');
    const { cert, key } = selfSignedCertificate({ hosts: ['stack.example.org'], days: 7 });
    let [sent, failed] = [0, 0];
    const renewal = { done: false };
    const traffic = (async () => {
      while (!renewal.done) {
        sent += 1;
        const { status } = await environment.get('/').catch(() => ({ status: 0 }));
        if (status !== 200) failed += 1;
      }
    })();

    await expect(
      environment.dockerWithInput('no certificate', 'exec', '-i', gateway, 'certificate.sh'),
    ).rejects.toThrow('the old one stays');
    await environment.dockerWithInput(cert + key, 'exec', '-i', gateway, 'certificate.sh');
    const { fingerprint256 } = new X509Certificate(cert);
    await environment.until('the new certificate', 'gateway', async () => {
      const socket = connectTls({ host: '127.0.0.1', port: 21_443, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const served = socket.getPeerCertificate().fingerprint256;
      socket.destroy();
      return served === fingerprint256 || undefined;
    });
    renewal.done = true;
    await traffic;
    expect({ failed, some: sent > 20 }).toEqual({ failed: 0, some: true });
  });

  test('says so when there is no server at all', async () => {
    await environment.docker('service', 'scale', '--detach', `${environment.stack}_api-blue=0`);
    const refused = await environment.until('a refusal', 'gateway', async () => {
      const answer = await environment.get('/health');
      return answer.status === 503 ? answer : undefined;
    });
    expect(refused).toMatchObject({
      headers: { 'retry-after': '5', 'content-type': 'application/json' },
      body: '{"detail":"The system is not available at the moment. Try again in a moment."}',
    });
    await environment.docker('service', 'scale', '--detach', `${environment.stack}_api-blue=1`);
    await environment.until('answers again', 'api-blue', answering);
  });

  test('goes on after a restart with the traffic that it had', async () => {
    const [gateway = ''] = await environment.containers('gateway');
    await environment.docker(
      'exec',
      gateway,
      'sh',
      '-c',
      "printf 'active blue\\nnext none\\ncanary 0\\n' > /var/lib/haproxy/traffic.map",
    );
    await environment.docker('kill', gateway);
    const next = await environment.until('another gateway', 'gateway', async () =>
      (await environment.containers('gateway')).find((id) => id !== gateway),
    );
    await environment.until('answers', 'gateway', answering);
    expect(await environment.docker('exec', next, 'cat', '/var/lib/haproxy/traffic.map')).toContain(
      'active blue',
    );
  });

  test('limits each client, and believes no address that a client claims', async () => {
    environment.configure({
      gateway: { image: images.gateway, http: 21_444, https: 21_443, requests_per_second: 2 },
    });
    await environment.deploy();
    const limited = await environment.until('a refusal', 'gateway', async () => {
      const answer = await environment.get('/health', { headers: { 'x-forwarded-for': '192.0.2.1' } });
      return answer.status === 429 ? answer : undefined;
    });
    expect(limited).toMatchObject({
      headers: { 'retry-after': '10' },
      body: expect.stringContaining('Too many'),
    });
    const [api = ''] = await environment.containers('api-blue');
    expect(await environment.docker('logs', api)).not.toContain('192.0.2.1');
  });
});
