import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { freePort, listenOnLoopback } from '../testing/loopback.ts';
import { type GatewayContainer, GatewayControl, type GatewayPaths, relay } from './gateway-control.ts';
import { countsOf } from './haproxy-answers.ts';
import { HaproxySession, type OpenProgram } from './haproxy-session.ts';

/** Against a real HAProxy; this machine stands for its container. */

let servers: Record<'blue' | 'green', { readonly server: Server; readonly port: number }>;
beforeAll(async () => {
  servers = { blue: await startServer('blue'), green: await startServer('green') };
});
afterAll(() => {
  for (const { server } of Object.values(servers)) server.close();
});

let folder: string;
let paths: GatewayPaths;
let haproxy: ChildProcess;
let port: number;
let control: GatewayControl;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-gateway-'));
  paths = {
    runtimeSocket: join(folder, 'runtime.sock'),
    masterSocket: join(folder, 'master.sock'),
    trafficMap: join(folder, 'traffic.map'),
    config: join(folder, 'haproxy.cfg'),
    serverState: join(folder, 'servers.state'),
  };
  port = await freePort();
  writeFileSync(paths.trafficMap, 'active none\nnext none\ncanary 0\n');
  writeFileSync(paths.serverState, '');
  writeFileSync(paths.config, configuration('first'));
  haproxy = await startHaproxy();
  control = new GatewayControl(thisMachine(), { paths, timeoutMs: 2000 });
});
afterEach(async () => {
  await control.close();
  await stopHaproxy();
  rmSync(folder, { recursive: true });
});

function configuration(name: string): string {
  const backend = (colour: 'blue' | 'green') => `
backend api-${colour}
    server api-1 127.0.0.1:${servers[colour].port} check inter 100ms`;
  return `
global
    stats socket ${paths.runtimeSocket} mode 600 level admin expose-fd listeners
    stats timeout 1h
    server-state-file ${paths.serverState}
    hard-stop-after 2s
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    option idle-close-on-response
    load-server-state-from-file global
frontend traffic
    bind 127.0.0.1:${port}
    http-response set-header x-configuration ${name}
    http-request set-var(txn.colour) str(active),map_str(${paths.trafficMap},none)
    http-request set-var(txn.next) str(next),map_str(${paths.trafficMap},none)
    http-request set-var(txn.canary) str(canary),map_str(${paths.trafficMap},0)
    http-request set-var(txn.colour) var(txn.next) if !{ var(txn.next) -m str none } { rand(100),sub(txn.canary) lt 0 }
    use_backend api-blue if { var(txn.colour) -m str blue }
    use_backend api-green if { var(txn.colour) -m str green }
    default_backend api-blue
${backend('blue')}
${backend('green')}
`;
}

async function startServer(colour: string): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/fails' ? 500 : 200;
    response.end(colour);
  });
  return { server, port: await listenOnLoopback(server) };
}

async function startHaproxy(): Promise<ChildProcess> {
  const child = spawn('haproxy', ['-W', '-S', paths.masterSocket, '-f', paths.config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`haproxy ended: ${said}`)));
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('Loading success')) resolve();
    });
  });
  child.stderr.resume();
  return child;
}

async function stopHaproxy(): Promise<void> {
  if (haproxy.exitCode !== null || haproxy.signalCode !== null) return;
  haproxy.kill('SIGTERM');
  await once(haproxy, 'exit');
}

function thisMachine(): GatewayContainer {
  const open = ([program = '', ...args]: readonly string[]): OpenProgram => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const ended = once(child, 'close').then(() => ({
      exitCode: child.exitCode,
      lastLines: said.split('\n').filter(Boolean),
    }));
    return {
      stdin: child.stdin,
      stdout: child.stdout,
      ended,
      stop: async () => {
        child.kill();
        await ended;
      },
    };
  };
  return {
    open,
    run: async (argv, input = '') => {
      const program = open(argv);
      program.stdin.on('error', () => undefined);
      program.stdin.end(input);
      const chunks = await program.stdout.toArray();
      const { exitCode, lastLines } = await program.ended;
      if (exitCode !== 0) throw new Error(lastLines.join('\n'));
      return Buffer.concat(chunks).toString();
    },
  };
}

async function answer(path = '/'): Promise<{ colour: string; configuration: string | null; status: number }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return {
    status: response.status,
    colour: await response.text(),
    configuration: response.headers.get('x-configuration'),
  };
}

async function greenAmong(requests: number): Promise<number> {
  let green = 0;
  for (let sent = 0; sent < requests; sent += 1) green += (await answer()).colour === 'green' ? 1 : 0;
  return green;
}

test('a switch holds for the next request, is on disk, and may be repeated', async () => {
  expect(await control.traffic()).toEqual({
    running: { active: null, next: null, canary: 0 },
    onDisk: { active: null, next: null, canary: 0 },
  });
  for (const colour of ['green', 'green', 'blue'] as const) {
    const { ms } = await control.switchTo(colour);
    expect(ms).toBeLessThan(1000);
    expect((await answer()).colour).toBe(colour);
    const { running, onDisk } = await control.traffic();
    expect(running).toEqual({ active: colour, next: null, canary: 0 });
    expect(onDisk).toEqual(running);
  }
});

test('a restart of the gateway changes nothing', async () => {
  await control.switchTo('blue');
  await control.setCanary(100, 'green');
  await stopHaproxy();
  haproxy = await startHaproxy();
  expect(await greenAmong(3)).toBe(3);
  // The conversation broke with the process; the next question begins another.
  expect((await control.traffic()).running).toEqual({ active: 'blue', next: 'green', canary: 100 });
});

test('a canary gets its share, a cleared one nothing, and a switch ends it', async () => {
  await control.switchTo('blue');
  await control.setCanary(40, 'green');
  const some = await greenAmong(150);
  expect(some).toBeGreaterThan(25);
  expect(some).toBeLessThan(100);
  await control.setCanary(100, 'green');
  expect(await greenAmong(20)).toBe(20);
  await control.clear();
  expect(await greenAmong(20)).toBe(0);
  await control.setCanary(0, 'green');
  expect(await greenAmong(20)).toBe(0);
  await control.setCanary(100, 'green');
  await control.switchTo('green');
  expect((await control.traffic()).running).toEqual({ active: 'green', next: null, canary: 0 });
  await expect(control.setCanary(101, 'blue')).rejects.toThrow('101 is no percentage');
});

test('nobody is sent to a colour that an earlier canary meant', async () => {
  await control.switchTo('blue');
  await control.setCanary(100, 'green');
  await control.setCanary(1, 'blue');
  expect((await control.traffic()).running).toEqual({ active: 'blue', next: 'blue', canary: 1 });
  expect(await greenAmong(20)).toBe(0);
});

test('a map that lost a key gets it back', async () => {
  const session = new HaproxySession(() => thisMachine().open(relay(paths.runtimeSocket)), 2000);
  expect(await session.ask(`del map ${paths.trafficMap} active`)).toBe('');
  await session.close();
  await control.switchTo('green');
  expect((await answer()).colour).toBe('green');
});

test('a map that says something else on disk is told', async () => {
  await control.switchTo('green');
  writeFileSync(paths.trafficMap, '# by hand\nactive blue\n');
  const { running, onDisk } = await control.traffic();
  expect([running.active, onDisk.active]).toEqual(['green', 'blue']);
});

test('the counters tell colours and their failures apart', async () => {
  await control.switchTo('blue');
  for (let n = 0; n < 5; n += 1) await answer();
  await control.switchTo('green');
  for (let n = 0; n < 3; n += 1) await answer('/fails');
  const counters = await control.counters();
  const [blue, green] = [counters.get('api-blue'), counters.get('api-green')];
  expect(blue && countsOf(blue)).toMatchObject({ answers: 5, answers5xx: 0, connectionErrors: 0, queued: 0 });
  expect(green && countsOf(green)).toMatchObject({ answers: 3, answers5xx: 3 });
  expect(counters.get('traffic')).toMatchObject({ requests: 8, answers: 8, answers5xx: 3 });
  expect(await control.serverCounters('green')).toMatchObject([
    { name: 'api-1', status: 'UP', answers: 3, address: `127.0.0.1:${servers.green.port}` },
  ]);
  expect(await control.servers()).toMatchObject([
    { backend: 'api-blue', server: 'api-1', up: true, maintenance: false },
    { backend: 'api-green', server: 'api-1', address: `127.0.0.1:${servers.green.port}` },
  ]);
  expect((await control.info()).get('Name')).toBe('HAProxy');
});

test('questions at the same time are answered each with its own answer', async () => {
  const [traffic, counters, info] = await Promise.all([
    control.traffic(),
    Promise.all(Array.from({ length: 20 }, () => control.counters())),
    control.info(),
  ]);
  expect(traffic.running.canary).toBe(0);
  expect(counters.every((all) => all.has('api-blue') && all.has('traffic'))).toBe(true);
  expect(info.has('Pid')).toBe(true);
});

test('a new configuration is handed over without a refused connection, and the switch stays', async () => {
  await control.switchTo('green');
  const before = (await control.info()).get('Pid');
  const over = new AbortController();
  const outcomes: string[] = [];
  const traffic = (async () => {
    while (!over.signal.aborted) outcomes.push((await answer()).colour);
  })();
  await control.reload(configuration('second'));
  expect(await answer()).toMatchObject({ colour: 'green', configuration: 'second' });
  over.abort();
  await traffic;
  expect(outcomes.length).toBeGreaterThan(0);
  expect(outcomes.filter((colour) => colour !== 'green')).toEqual([]);
  expect((await control.info()).get('Pid')).not.toBe(before);
  expect(readFileSync(paths.serverState, 'utf8')).toContain('api-green');
  await control.switchTo('blue');
  expect(await answer()).toMatchObject({ colour: 'blue', configuration: 'second' });
});

test('a configuration that HAProxy refuses changes nothing', async () => {
  await expect(control.reload('frontend nonsense\n    bind nowhere\n')).rejects.toThrow(/nowhere|frontend/);
  expect(await answer()).toMatchObject({ configuration: 'first' });
  expect(readFileSync(paths.config, 'utf8')).toBe(configuration('first'));
});

test('a configuration with which no worker starts is taken back', async () => {
  const text = `${configuration('third')}\nfrontend taken\n    bind 127.0.0.1:${servers.blue.port}\n`;
  await expect(control.reload(text)).rejects.toThrow('the one before is in force again');
  expect(await answer()).toMatchObject({ configuration: 'first' });
  expect(readFileSync(paths.config, 'utf8')).toBe(configuration('first'));
}, 30_000);

test('a gateway that is not there is told with its reason', async () => {
  await stopHaproxy();
  await expect(control.info()).rejects.toThrow(`${paths.runtimeSocket}: `);
});

test('an answer that does not come is not waited for longer than agreed, and the next question is answered', async () => {
  haproxy.kill('SIGSTOP');
  await control.close();
  const pid = Number((await readWorker()) ?? 0);
  process.kill(pid, 'SIGSTOP');
  const hasty = new GatewayControl(thisMachine(), { paths, timeoutMs: 300 });
  await expect(hasty.info()).rejects.toThrow('within 1200 ms');
  process.kill(pid, 'SIGCONT');
  haproxy.kill('SIGCONT');
  expect((await hasty.info()).get('Pid')).toBe(String(pid));
  await hasty.close();
});

/** The master forks its worker; Linux knows which. */
async function readWorker(): Promise<string | undefined> {
  const children = readFileSync(`/proc/${haproxy.pid}/task/${haproxy.pid}/children`, 'utf8');
  return children.split(' ')[0];
}

test.each(['show info\nshow stat', 'show info; show stat'])('%j is not one command', async (command) => {
  const session = new HaproxySession(() => thisMachine().open(relay(paths.runtimeSocket)), 500);
  await expect(session.ask(command)).rejects.toThrow('is not one command');
});
