import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSignedCertificate } from '@calculaud/testing/self-signed';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dockerCommand } from '../../apps/cli/src/host/docker-command.ts';
import { GatewayControl, gatewayContainer } from '../../apps/cli/src/host/gateway-control.ts';
import { HttpClient } from '../../apps/cli/src/host/http-client.ts';
import type { HttpOutcome } from '../../apps/cli/src/host/http-message.ts';
import { steadily } from '../../apps/cli/src/journey/pace.ts';
import { GATEWAY } from '../../apps/cli/src/stack/names.ts';
import { full } from '../system.ts';
import { docker } from './docker-command.ts';
import { images } from './images.ts';

/** HAProxy as it is in the product's image takes a new configuration while requests run. */

const host = process.env['DOCKER_HOST'] ?? '';
const name = `calculaud-reload-${process.pid}`;
const PER_SECOND = full ? 200 : 50;
const RELOADS = full ? 20 : 4;

const UNTIL_IT_LISTENS = `for try in $(seq 100); do
  echo show info | socat - UNIX-CONNECT:${GATEWAY.runtimeSocket} 2>/dev/null && break
  sleep 0.1
done`;

let folder: string;
let port: string;
let control: GatewayControl;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-reload-'));
  const { cert, key } = selfSignedCertificate();
  writeFileSync(join(folder, 'haproxy.cfg'), configuration('0'));
  writeFileSync(join(folder, 'traffic.map'), 'active blue\nnext none\ncanary 0\n');
  writeFileSync(join(folder, 'servers.state'), '1\n');
  writeFileSync(join(folder, 'tls.pem'), `${cert}\n${key}`);
  writeFileSync(join(folder, 'ca.pem'), cert);
  const program = ['-W', '-S', GATEWAY.masterSocket, '-f', GATEWAY.config];
  await docker(
    host,
    'create',
    '--name',
    name,
    '--publish',
    '127.0.0.1:0:8443',
    '--entrypoint',
    'haproxy',
    images.gateway,
    ...program,
  );
  await docker(host, 'cp', `${folder}/.`, `${name}:/var/lib/haproxy/`);
  await docker(host, 'start', name);
  port = (await docker(host, 'port', name, '8443')).split(':').at(-1) ?? '';
  control = new GatewayControl(gatewayContainer(dockerCommand(host), name));
  // Docker accepts connections to a published port before anybody in the container does.
  const probe = await docker(host, 'exec', name, 'sh', '-c', UNTIL_IT_LISTENS);
  if (!probe.includes('Pid:'))
    throw new Error(`HAProxy does not answer: ${await docker(host, 'logs', name)}`);
});
afterAll(async () => {
  await control.close();
  await docker(host, 'rm', '--force', '--volumes', name);
  rmSync(folder, { recursive: true });
});

function configuration(number: string): string {
  return `
global
    stats socket ${GATEWAY.runtimeSocket} mode 600 level admin expose-fd listeners
    stats timeout 1h
    server-state-file ${GATEWAY.serverState}
    hard-stop-after 30s
defaults
    mode http
    option idle-close-on-response
    timeout connect 1s
    timeout client 30s
    timeout server 30s
frontend https
    bind :8443 ssl crt ${GATEWAY.certificate} alpn h2,http/1.1
    http-after-response set-header x-configuration ${number}
    http-request set-var(txn.colour) str(active),map_str(${GATEWAY.trafficMap},none)
    use_backend api-green if { var(txn.colour) -m str green }
    default_backend api-blue
backend api-blue
    http-request return status 200 content-type text/plain string blue
backend api-green
    http-request return status 200 content-type text/plain string green
`;
}

test(`${RELOADS} reloads at ${PER_SECOND} requests/s over every kind of connection lose none`, async () => {
  const client = new HttpClient({
    url: 'https://localhost',
    connect: `127.0.0.1:${port}`,
    ca: join(folder, 'ca.pem'),
  });
  const connections = ['keep-alive', 'new', 'h2', 'keep-alive'] as const;
  const outcomes: Promise<HttpOutcome>[] = [];
  const over = new AbortController();
  const traffic = steadily(
    PER_SECOND,
    over.signal,
    () => {
      const connection = connections[outcomes.length % connections.length] ?? 'new';
      outcomes.push(client.send({ method: 'GET', path: '/', connection, timeoutMs: 5000 }));
    },
    () => undefined,
  );
  for (let reload = 1; reload <= RELOADS; reload += 1) {
    await control.reload(configuration(String(reload)));
    await control.switchTo(reload % 2 === 0 ? 'blue' : 'green');
    const newest = await client.send({ method: 'GET', path: '/', connection: 'new', timeoutMs: 5000 });
    expect(newest).toMatchObject({
      body: reload % 2 === 0 ? 'blue' : 'green',
      headers: { 'x-configuration': String(reload) },
    });
  }
  over.abort();
  await traffic;
  const all = await Promise.all(outcomes);
  await client.close();
  const failed = all.filter((outcome) => !outcome.answered || outcome.status !== 200);
  console.log(`${RELOADS} reloads: ${failed.length} of ${all.length} requests failed`);
  expect(failed).toEqual([]);
  expect(all.length).toBeGreaterThan(100);
});

test('a configuration that is no good changes nothing', async () => {
  await expect(control.reload('frontend nonsense\n    bind nowhere\n')).rejects.toThrow(/bind|nowhere/);
  const { running, onDisk } = await control.traffic();
  expect(running).toEqual(onDisk);
});
