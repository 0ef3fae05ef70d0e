import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { DockerAddress } from '../host/docker-address.ts';

/** What goes wrong with a request: the engine answers with an error, drops the line before or after it acted, or hangs. */
export type Trouble =
  | { readonly status: number; readonly message: string }
  | 'drop'
  | 'act and drop'
  | 'hang';

export interface Engine {
  readonly address: DockerAddress;
  /** Each request as `GET /v1.41/configs`, oldest first. */
  readonly requests: readonly string[];
  /** What runs, by name, each with its only label as `name=value`. */
  readonly running: Readonly<Record<'services' | 'containers', Map<string, string>>>;
  /** Asked before each request; nothing goes wrong as long as it says nothing. */
  trouble: (request: string) => Trouble | undefined;
  readonly stop: () => Promise<void>;
}

interface Stored {
  readonly ID: string;
  readonly Name: string;
  readonly Data: string;
  Labels: Record<string, string>;
  version: number;
}

/** The only manager of a swarm. */
const INFO = {
  Name: 'node-1',
  ServerVersion: '20.10.24',
  Architecture: 'x86_64',
  NCPU: 2,
  MemTotal: 4_000_000_000,
  DockerRootDir: '/var/lib/docker',
  Swarm: { NodeID: 'node-1', LocalNodeState: 'active', ControlAvailable: true },
};

const spec = z.object({
  Name: z.string(),
  Data: z.string().default(''),
  Labels: z.record(z.string(), z.string()).default({}),
});

/** Stands in for a Docker engine where a real one cannot be made to fail at will: the configs of a Swarm, with their versions. */
export async function startEngine({ minApiVersion = '1.12' } = {}): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-engine-'));
  const path = join(folder, 'docker.sock');
  const stored = new Map<string, Stored>();
  const running = { services: new Map<string, string>(), containers: new Map<string, string>() };
  const requests: string[] = [];
  let index = 10;

  const act = (method: string, url: URL, body: string): { status: number; answer?: unknown } => {
    const [, , collection, key, action] = url.pathname.split('/');
    if (url.pathname === '/version') {
      const versions = { ApiVersion: '1.41', MinAPIVersion: minApiVersion };
      return { status: 200, answer: { Version: '20.10.24', Os: 'linux', Arch: 'amd64', ...versions } };
    }
    if (collection === 'info') return { status: 200, answer: INFO };
    if (collection === 'services' || collection === 'containers') {
      const all = running[collection];
      if (method === 'DELETE')
        return { status: all.delete(key ?? '') ? 204 : 404, answer: { message: 'gone' } };
      const { label = [] } = z
        .object({ label: z.array(z.string()).optional() })
        .parse(JSON.parse(url.searchParams.get('filters') ?? '{}'));
      const found = [...all].filter(([, itsLabel]) => label.every((wanted) => wanted === itsLabel));
      return { status: 200, answer: found.map(([name]) => shownAs[collection](name)) };
    }
    if (collection !== 'configs') return { status: 404, answer: { message: 'page not found' } };
    if (key === 'create') {
      const created = spec.parse(JSON.parse(body));
      if (stored.has(created.Name)) {
        return { status: 409, answer: { message: `rpc error: config ${created.Name} already exists` } };
      }
      index += 1;
      stored.set(created.Name, { ID: `id-${created.Name}`, version: index, ...created });
      return { status: 201, answer: { ID: `id-${created.Name}` } };
    }
    if (key === undefined) {
      const filters = z
        .object({ name: z.array(z.string()).optional() })
        .parse(JSON.parse(url.searchParams.get('filters') ?? '{}'));
      const all = [...stored.values()].filter(({ Name }) =>
        (filters.name ?? ['']).some((start) => Name.startsWith(start)),
      );
      return { status: 200, answer: all.map(shown) };
    }
    const config = [...stored.values()].find(({ ID, Name }) => [ID, Name].includes(decodeURIComponent(key)));
    if (!config) return { status: 404, answer: { message: `config ${key} not found` } };
    if (method === 'DELETE') {
      stored.delete(config.Name);
      return { status: 204 };
    }
    if (action === 'update') {
      if (Number(url.searchParams.get('version')) !== config.version) {
        return {
          status: 500,
          answer: { message: 'rpc error: code = Unknown desc = update out of sequence' },
        };
      }
      index += 1;
      config.version = index;
      config.Labels = spec.parse(JSON.parse(body)).Labels;
      return { status: 200 };
    }
    return { status: 200, answer: shown(config) };
  };

  const answer = (request: IncomingMessage, body: string, response: ServerResponse): void => {
    const url = new URL(request.url ?? '', 'http://docker');
    const called = `${request.method} ${url.pathname}`;
    requests.push(called);
    const trouble = engine.trouble(called);
    if (trouble === 'hang') return;
    if (trouble === 'drop') {
      request.socket.destroy();
      return;
    }
    const acted =
      typeof trouble === 'object'
        ? { status: trouble.status, answer: { message: trouble.message } }
        : act(request.method ?? '', url, body);
    if (trouble === 'act and drop') {
      request.socket.destroy();
      return;
    }
    response.writeHead(acted.status, { 'content-type': 'application/json' });
    response.end(acted.answer === undefined ? '' : JSON.stringify(acted.answer));
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => answer(request, Buffer.concat(chunks).toString('utf8'), response));
  });
  server.listen(path);
  await once(server, 'listening');

  const engine: Engine = {
    address: { kind: 'unix', path },
    requests,
    running,
    trouble: () => undefined,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      rmSync(folder, { recursive: true });
    },
  };
  return engine;
}

const shownAs = {
  services: (name: string): unknown => {
    const Spec = { Name: name, TaskTemplate: {}, Mode: {} };
    return { ID: name, Version: { Index: 1 }, CreatedAt: '', UpdatedAt: '', Spec };
  },
  containers: (name: string): unknown => ({
    Id: name,
    Names: [`/${name}`],
    Image: 'calculaud:1',
    ImageID: 'sha256:1',
    Created: 0,
    State: 'running',
    Status: 'Up 2 minutes',
  }),
};

function shown({ ID, Name, Data, Labels, version }: Stored): unknown {
  const at = '2026-01-01T10:00:00Z';
  return { ID, Version: { Index: version }, CreatedAt: at, UpdatedAt: at, Spec: { Name, Data, Labels } };
}
