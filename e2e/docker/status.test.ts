import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startJournal } from '../../apps/cli/src/deployment/journal-store.ts';
import { withLease } from '../../apps/cli/src/deployment/lease.ts';
import { openRegister } from '../../apps/cli/src/deployment/register.ts';
import { openDocker } from '../../apps/cli/src/host/docker.ts';
import { parseDockerAddress } from '../../apps/cli/src/host/docker-address.ts';
import { calculaud, type Outcome } from '../../apps/cli/src/testing/command-line.ts';
import { bareEnvironment, repository } from '../system.ts';
import { dockerDaemon } from './daemon.ts';
import { images } from './images.ts';
import { type StackEnvironment, stackEnvironment } from './stack-environment.ts';

/** The commands of every day on a real stack: `status`, `logs`, `scale`, `exec`. */

/** A name of our own, which can be taken away. */
const image = 'calculaud-everyday:test';

let environment: StackEnvironment;
let host: string;
beforeAll(async () => {
  ({ host } = await dockerDaemon());
  environment = await stackEnvironment(host, 'everyday', { https: 22_543, image });
  await environment.docker('tag', images.app, image);
  expectExit(await calculaud(`init --file ${environment.file} --self-signed --yes`), 0);
});
afterAll(async () => {
  await environment.remove();
});

async function run(command: string, ...more: readonly string[]): Promise<Outcome> {
  const [verb = '', ...rest] = command.split(' ');
  return calculaud([verb, '--file', environment.file, ...rest, ...more]);
}

function expectExit(outcome: Outcome, exitCode: number): void {
  const { stderr, stdout } = outcome;
  expect({
    exitCode: outcome.exitCode,
    said: outcome.exitCode === exitCode ? '' : `${stdout}${stderr}`,
  }).toEqual({ exitCode, said: '' });
}

const status = z.looseObject({
  event: z.literal('status'),
  verdict: z.string(),
  findings: z.array(z.object({ kind: z.string(), words: z.string(), command: z.string().nullable() })),
  notes: z.array(z.string()),
  services: z.array(
    z.object({
      service: z.string(),
      wanted: z.number(),
      instances: z.array(
        z.object({
          instance: z.string(),
          health: z.string().nullable(),
          answer: z.object({ ready: z.boolean(), commit: z.string().nullable() }).nullable(),
        }),
      ),
    }),
  ),
});

async function look(): Promise<z.output<typeof status> & { readonly exitCode: number }> {
  const outcome = await run('status --json');
  const [event, ...others] = outcome.events();
  expect(others).toEqual([]);
  return { ...status.parse(event), exitCode: outcome.exitCode };
}

/** Looks until everything is as it should be again. */
async function untilHealthy(service: string): Promise<void> {
  await environment.until(
    'a healthy environment',
    service,
    async () => ((await look()).exitCode === 0 ? true : undefined),
    90_000,
  );
}

describe('before the first deployment', () => {
  test('status says so, and what to type', async () => {
    const outcome = await run('status');
    expectExit(outcome, 2);
    expect(outcome.stdout).toContain(
      `✗ Nothing is deployed in everyday yet.\n  → calculaud deploy --file ${environment.file}`,
    );
  });

  test.each(['logs', 'exec api -- true', 'scale api=2 --yes'])('%s is refused', async (command) => {
    const outcome = await run(command);
    expectExit(outcome, 3);
    expect(outcome.stderr).toMatch(/Nothing is deployed/);
  });
});

describe('a deployed environment', () => {
  beforeAll(async () => {
    expectExit(await run('deploy --yes'), 0);
  });

  test('is healthy, and its instances say themselves which build they are', async () => {
    const { exitCode, verdict, findings, services } = await look();
    expect({ exitCode, verdict, findings }).toEqual({ exitCode: 0, verdict: 'healthy', findings: [] });
    const revision = await environment.docker(
      'image',
      'inspect',
      images.app,
      '--format',
      '{{index .Config.Labels "org.opencontainers.image.revision"}}',
    );
    const [api] = services.find(({ service }) => service === 'api-blue')?.instances ?? [];
    expect(api).toEqual({
      instance: 'api-blue.1',
      health: 'healthy',
      answer: { ready: true, commit: revision },
    });
  });

  test('fits on one screen', async () => {
    const { stdout } = await run('status');
    expect(stdout).toMatch(/^everyday \(staging, stack\.example\.org\): healthy/);
    expect(stdout.split('\n').length).toBeLessThan(24);
    for (const line of [
      /^Traffic +to blue; ready by the gateway: 1 of blue$/m,
      /^Database +bundled, takes connections, .*the schema fits$/m,
      /^Last +1\. deploy .*: done/m,
      /^Drift +none$/m,
      /^database +1 +1 +1 /m,
    ]) {
      expect(stdout).toMatch(line);
    }
  });

  test('a lock that is held is told, and one that fell silent is told apart', async () => {
    await withRegister(async (register) =>
      withLease(register, { who: 'dana@laptop', command: 'deploy x' }, async (lease) => {
        expect((await look()).notes).toContain(
          `dana@laptop is at work since ${lease.holder.since.slice(0, 19).replace('T', ' ')} UTC: "deploy x".`,
        );
        expectExit(await run('exec worker -- true'), 6);
      }),
    );
  });

  test('work that nobody finished is wrong, with both ways out of it', async () => {
    await withRegister(async (register) =>
      withLease(register, { who: 'dana@laptop', command: 'deploy x' }, async (lease) => {
        const data = { action: { kind: 'clear-canary' }, release: null };
        const steps = [{ id: '1', title: 'No canary any more', kind: 'clear-canary', data }];
        await startJournal(lease, { id: 'p1', command: 'deploy x', summary: [], data: null, steps });
      }),
    );
    const { exitCode, findings } = await look();
    expect(exitCode).toBe(2);
    expect(findings[0]?.words).toMatch(
      /^"deploy x" of dana@laptop, .* 0 of 1 steps are done\..*deploy abort/,
    );
    expectExit(await run('deploy abort --yes'), 0);
    expect((await look()).exitCode).toBe(0);
  });

  test('a host that cannot be reached is told, and everything else is shown all the same', async () => {
    const before = readFileSync(environment.file, 'utf8');
    const [known] = written().hosts;
    environment.configure({
      hosts: [
        { ...known, roles: ['app', 'gateway', 'database'] },
        { name: 'ghost', docker: 'unix:///nowhere/docker.sock', roles: ['storage'] },
      ],
    });
    try {
      const { exitCode, findings, services } = await look();
      expect(exitCode).toBe(2);
      expect(findings.map(({ words }) => words)).toContain('Host ghost is no node of the Swarm.');
      expect(services.flatMap(({ instances }) => instances.map(({ health }) => health))).toEqual(
        services.flatMap(({ instances }) => instances.map(() => 'healthy')),
      );
      expectExit(await run('logs worker --tail 1'), 0);
      const plan = await run('plan');
      expectExit(plan, 3);
      expect(plan.stderr).toMatch(/Host ghost \(unix:\/\/\/nowhere\/docker\.sock\) cannot be used: .*ENOENT/);
    } finally {
      writeFileSync(environment.file, before);
    }
  });

  test('without a manager nothing can be looked at', async () => {
    const before = readFileSync(environment.file, 'utf8');
    environment.configure({ hosts: [{ name: 'ghost', docker: 'unix:///nowhere/docker.sock' }] });
    const outcome = await run('status');
    writeFileSync(environment.file, before);
    expectExit(outcome, 3);
    expect(outcome.stderr).toMatch(/No manager of the Swarm can be reached\.\nHost ghost/);
  });

  test('a gateway that is gone is the first thing said, with no long wait for it', async () => {
    await environment.docker('service', 'scale', '--detach', `${environment.stack}_gateway=0`);
    await environment.until('no gateway', 'gateway', async () =>
      (await environment.containers('gateway')).length === 0 ? true : undefined,
    );
    try {
      const begin = performance.now();
      const { exitCode, findings } = await look();
      expect(performance.now() - begin).toBeLessThan(15_000);
      expect(exitCode).toBe(2);
      expect(findings.map(({ words }) => words)).toEqual([
        'Nobody is answered: no gateway runs.',
        'gateway differs in its replicas: 0 instead of 1.',
      ]);
    } finally {
      await environment.docker('service', 'scale', '--detach', `${environment.stack}_gateway=1`);
    }
    await untilHealthy('gateway');
  });

  test('a killed container is missed, with its last words; the one after it makes all well', async () => {
    const [api = ''] = await environment.containers('api-blue');
    await environment.docker('kill', api);
    await environment.until('a missing API that is told', 'api-blue', async () => {
      const { exitCode, findings } = await look();
      const words = findings.map((finding) => finding.words).join('\n');
      const told = /api-blue: 0 of 1 run; .*api-blue\.1 ended at .*non-zero exit \(137\)/.test(words);
      return exitCode === 2 && told ? true : undefined;
    });
    await untilHealthy('api-blue');
    expect((await look()).notes.join('\n')).toMatch(/api-blue\.1 ended at .*was replaced/);
  });

  test('--watch is refused where nothing can be drawn', async () => {
    const outcome = await run('status --watch');
    expectExit(outcome, 3);
    expect(outcome.stderr).toMatch(/standard output is none/);
  });

  test('--watch draws on a terminal until Ctrl-C', async () => {
    const child = startCommand(['status', '--file', environment.file, '--watch'], { terminal: true });
    await heard(child, /everyday.{0,10} \(staging/);
    await heard(child, /Drift +none/);
    child.stdin?.write('\u0003');
    expect(await endOf(child)).toBe(0);
  });
});

describe('logs', () => {
  const line = z.object({
    event: z.literal('log'),
    at: z.string(),
    service: z.string(),
    instance: z.string(),
    line: z.string(),
  });

  test('of all services come in the order of writing, so many of each container', async () => {
    const outcome = await run('logs --json --tail 5');
    expectExit(outcome, 0);
    const lines = outcome.events().map((event) => line.parse(event));
    expect(new Set(lines.map(({ service }) => service))).toEqual(
      new Set(['api-blue', 'worker', 'gateway', 'database']),
    );
    const times = lines.map(({ at }) => at);
    expect(times).toEqual(times.toSorted());
    for (const service of ['worker', 'gateway']) {
      expect(lines.filter((one) => one.service === service).length).toBeLessThanOrEqual(10);
    }
  });

  test('of one service say which container wrote them', async () => {
    const { stdout } = await run('logs gateway --tail 3');
    expect(stdout).toMatch(/^gateway\.1 \| /);
    for (const text of stdout.trim().split('\n')) expect(text).toMatch(/^gateway\.1 \| /);
  });

  test('can be searched, and bounded in time', async () => {
    const found = await run('logs', 'database', '--grep', 'ready to accept connections');
    expect(found.stdout).toMatch(/database system is ready to accept connections/);
    expect(found.stdout).not.toMatch(/checkpoint/);
    const none = await run('logs', 'database', '--since', new Date(Date.now() + 60_000).toISOString());
    expect(none).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test.each([
    ['logs nobody', /There is no service nobody in everyday/],
    ['logs --since yesterday', /--since: yesterday is no time/],
    ['logs --grep [', /--grep: Invalid regular expression/],
    ['logs --tail 99999', /--tail:/],
  ])('%s is refused', async (command, why) => {
    const outcome = await run(command);
    expectExit(outcome, 3);
    expect(outcome.stderr).toMatch(why);
  });

  test('that are followed go on in containers that come later, until Ctrl-C', async () => {
    const child = startCommand([
      'logs',
      '--file',
      environment.file,
      'worker',
      '--follow',
      '--tail',
      '1',
      '--json',
    ]);
    await heard(child, /"event":"log"/);
    const [worker = ''] = await environment.containers('worker');
    await environment.docker('kill', worker);
    await heard(child, /"event":"log".*jobs.*started|"msg":"the worker runs|jobs/);
    child.kill('SIGINT');
    expect(await endOf(child)).toBe(0);
    await untilHealthy('worker');
  });

  test('that are followed end with whoever reads them', async () => {
    const child = startCommand(['logs', '--file', environment.file, '--follow', '--tail', '1']);
    await heard(child, /\|/);
    child.stdout?.destroy();
    // Something is written, so that the closed pipe is noticed.
    const noise = setInterval(() => void environment.get('/').catch(() => undefined), 200);
    expect(await endOf(child)).toBe(0);
    clearInterval(noise);
  });
});

describe('scale', () => {
  test('is planned, carried out, verified and written down; the configuration is not touched', async () => {
    const before = readFileSync(environment.file, 'utf8');
    const planned = await run('scale api=2 --dry-run');
    expectExit(planned, 2);
    expect(planned.stdout).toContain('~ api-blue: 1 → 2 containers');
    const outcome = await run('scale api=2 worker=2 --yes');
    expectExit(outcome, 0);
    expect(outcome.stderr).toMatch(/still says api: 1, worker: 1: .*--save/);
    expect(readFileSync(environment.file, 'utf8')).toBe(before);
    expect(await environment.containers('api-blue')).toHaveLength(2);
    expect(await environment.containers('worker')).toHaveLength(2);
    const { exitCode, notes } = await look();
    expect(exitCode).toBe(0);
    expect(notes.join('\n')).toMatch(/api is scaled to 2.*says 1.*\nworker is scaled to 2.*says 1/);
    const plan = await run('plan');
    expectExit(plan, 2);
    expect(plan.stdout).toMatch(/~ replicas: 2 → 1\n~ replicas of the worker: 2 → 1/);
    expect((await run('history')).stdout).toMatch(/scale api=2 worker=2 +done/);
  });

  test('that changes nothing says so', async () => {
    const outcome = await run('scale api=2 worker=2 --yes');
    expectExit(outcome, 0);
    expect(outcome.stderr).toMatch(/as many already/);
  });

  test('what cannot come up is taken back', async () => {
    await environment.docker('rmi', '--no-prune', image);
    const outcome = await run('scale api=4 --yes');
    await environment.docker('tag', images.app, image);
    expectExit(outcome, 4);
    expect(outcome.stderr).toMatch(/Waited for 4 healthy of api-blue; a container ended: No such image/);
    expect(await environment.containers('api-blue')).toHaveLength(2);
    await untilHealthy('api-blue');
  });

  test('a number that stands against the rest of the configuration is refused', async () => {
    const outcome = await run('scale api=12 --yes');
    expectExit(outcome, 3);
    expect(outcome.stderr).toMatch(/replicas\.api needs 240 connections to the database/);
  });

  test('differences in more than numbers are not applied along the way', async () => {
    const before = readFileSync(environment.file, 'utf8');
    environment.configure({ log_level: 'debug' });
    const outcome = await run('scale api=1 --yes');
    writeFileSync(environment.file, before);
    expectExit(outcome, 3);
    expect(outcome.stderr).toMatch(/differs in its description\. Nothing was changed/);
  });

  test('--save writes the number to the file, which then is what runs', async () => {
    expectExit(await run('scale api=2 worker=1 --yes --save'), 0);
    expect(written().replicas).toEqual({ api: 2, worker: 1 });
    expect((await look()).notes.filter((note) => note.includes('scaled'))).toEqual([]);
    expectExit(await run('plan'), 0);
  });
});

describe('exec', () => {
  test('hands input, output and the exit code through', async () => {
    const child = startCommand([
      'exec',
      '--file',
      environment.file,
      'database',
      '--',
      'psql',
      '--username=calculaud',
      '--dbname=postgres',
      '--tuples-only',
      '--no-align',
    ]);
    child.stdin?.end('select 6 * 7;\n');
    await heard(child, /^42$/m);
    expect(await endOf(child)).toBe(0);
    const failing = startCommand(['exec', '--file', environment.file, 'api', '--', 'sh', '-c', 'exit 17']);
    expect(await endOf(failing)).toBe(17);
  });

  test('gives a terminal where there is one', async () => {
    const child = startCommand(['exec', '--file', environment.file, 'worker', '--', 'bash'], {
      terminal: true,
    });
    child.stdin?.write('tty; exit 5\n');
    await heard(child, /\/dev\/pts\/\d/);
    expect(await endOf(child)).toBe(5);
  });

  test('is an event a line for programs', async () => {
    const outcome = await run('exec --json worker.1 --', 'sh', '-c', 'echo one; exit 3');
    expect(outcome.exitCode).toBe(3);
    expect(outcome.events()).toMatchObject([
      { event: 'exec_begun', instance: 'worker.1' },
      { event: 'exec_output', stream: 'stdout', line: 'one' },
      { event: 'exec_ended', exit_code: 3 },
    ]);
  });

  test('is in the ledger before it runs, without its secrets', async () => {
    expectExit(await run('exec worker --', 'env', 'SOME_PASSWORD=hunter2', 'true'), 0);
    const { stdout } = await run('history');
    expect(stdout).toMatch(/exec worker\.1 -- env SOME_PASSWORD=\*+ true +begun/);
    expect(stdout).not.toContain('hunter2');
  });

  test.each([
    ['exec nobody -- true', /There is no service nobody/],
    ['exec worker.9 -- true', /No container of worker\.9 runs/],
  ])('%s is refused', async (command, why) => {
    const outcome = await run(command);
    expectExit(outcome, 3);
    expect(outcome.stderr).toMatch(why);
  });
});

function written() {
  const file = z.looseObject({ hosts: z.array(z.looseObject({})), replicas: z.looseObject({}) });
  return file.parse(parse(readFileSync(environment.file, 'utf8')));
}

async function withRegister(
  work: (register: ReturnType<typeof openRegister>) => Promise<unknown>,
): Promise<void> {
  const docker = await openDocker(parseDockerAddress(host));
  try {
    await work(openRegister(docker.api, environment.stack));
  } finally {
    await docker.close();
  }
}

/** The command in a process of its own; with a terminal, `script` gives it one. */
function startCommand(line: readonly string[], { terminal = false } = {}): ChildProcess {
  const command = [process.execPath, '--import', 'tsx', 'apps/cli/src/main.ts', ...line];
  const [program = '', ...args] = terminal
    ? [
        'script',
        '--quiet',
        '--return',
        '--command',
        // Without exec a shell stands in between, which answers Ctrl-C with an exit code of its own.
        `exec ${command.map((word) => `'${word}'`).join(' ')}`,
        '/dev/null',
      ]
    : command;
  const child = spawn(program, args, {
    cwd: repository,
    env: { ...bareEnvironment(), SHELL: '/bin/sh', TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  said.set(child, '');
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('error', () => undefined);
    stream?.setEncoding('utf8').on('data', (text: string) => said.set(child, `${said.get(child)}${text}`));
  }
  return child;
}

/** Everything that a process has said so far. */
const said = new Map<ChildProcess, string>();

/** Waits until what the process said since the last time matches. */
async function heard(child: ChildProcess, pattern: RegExp): Promise<void> {
  const deadline = AbortSignal.timeout(60_000);
  for (;;) {
    const text = said.get(child) ?? '';
    const match = pattern.exec(text);
    if (match) {
      said.set(child, text.slice(match.index + match[0].length));
      return;
    }
    if (child.exitCode !== null)
      throw new Error(`It ended with ${child.exitCode} before ${pattern}: ${text}`);
    if (!child.stdout) throw new Error('It has no output');
    const more = once(child.stdout, 'data', { signal: deadline });
    await Promise.race([more, once(child, 'exit')]).catch(() => {
      throw new Error(`Waited for ${pattern}; came: ${text}`);
    });
  }
}

async function endOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    await once(child, 'exit', { signal: AbortSignal.timeout(60_000) });
  }
  return child.exitCode;
}
