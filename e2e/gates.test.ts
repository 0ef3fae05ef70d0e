import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { connectEmbedded } from '@calculaud/embedded/supervisor';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EvidenceLog } from '../apps/cli/src/deployment/evidence-log.ts';
import { judge } from '../apps/cli/src/deployment/gates.ts';
import type { Judgement } from '../apps/cli/src/deployment/judgement.ts';
import { journeyEvent } from '../apps/cli/src/journey/journey-events.ts';
import { probeEvent } from '../apps/cli/src/journey/probe-events.ts';
import { type GatedFaultKind, faultKinds, faultyEnvironment } from './docker/faults/kinds.ts';
import {
  adminToken,
  full,
  newDataDirectory,
  removeDataDirectory,
  repository,
  startSystem,
  type System,
} from './system.ts';

/** The gates on real servers: a version and its successor on one database, and nobody who uses them. */

const BAR_SECONDS = 60;
const CLEAN_RELEASES = full ? 20 : 2;

let directory: string;
let system: System;
let token: string;
let old: Server;
beforeAll(async () => {
  directory = newDataDirectory();
  system = await startSystem(directory);
  token = await adminToken(directory);
  old = await startServer({});
});
afterAll(async () => {
  await old.stop();
  await system.stop();
  removeDataDirectory(directory);
});

interface Server {
  readonly url: string;
  readonly management: string;
  ready(): Promise<string | null>;
  stop(): Promise<void>;
}

/** An API of its own beside the others, as a container of it would run. */
async function startServer(environment: Record<string, string>): Promise<Server> {
  const database = await connectEmbedded(directory);
  if (!database) throw new Error('the database of the system does not run');
  const [port, managementPort] = [await freePort(), await freePort()];
  const child: ChildProcess = spawn('sh', ['scripts/run.sh', 'api'], {
    cwd: repository,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      DATABASE_URL: database.connectionString('app'),
      CALCULAUD_DATA: directory,
      CALCULAUD_DRAIN_NOTICE_MS: '0',
      PORT: String(port),
      MANAGEMENT_PORT: String(managementPort),
      LOG_LEVEL: 'error',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const management = `127.0.0.1:${managementPort}`;
  const ask = async (path: string): Promise<string | null> => {
    const answer = await fetch(`http://${management}${path}`).catch(() => null);
    if (!answer) return 'nobody answers';
    return answer.ok ? null : `${answer.status} ${await answer.text()}`;
  };
  while ((await ask('/health/started')) !== null) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    await pause(50);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    management,
    ready: () => ask('/health/ready'),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

/** A command of the product, told its token, until its standard input is closed. */
function observer(...args: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(join(repository, 'apps/cli/bin/calculaud'), [...args, '--json'], {
    cwd: directory,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
  });
  child.stdin.write(`${JSON.stringify({ token })}\n`);
  child.stderr.resume();
  return child;
}

interface Found {
  readonly seconds: number;
  readonly judgement: Judgement;
  /** What each check last waited for, and until when. */
  readonly held: ReadonlyMap<string, string>;
}

/** What a deployment does before it switches; resolves with the first verdict that is no "hold". */
async function gate(fresh: Server): Promise<Found> {
  const log = new EvidenceLog({ replicas: true, sideBySide: true, memory: true, journeys: true });
  const begin = performance.now();
  const held = new Map<string, string>();
  const observers = [
    observer(
      'probe',
      '--side-by-side',
      '--target',
      `old=${old.url}`,
      `new=${fresh.url}`,
      '--management',
      `old=${old.management}`,
      `new=${fresh.management}`,
    ),
    ...(['old', 'new'] as const).map((side) =>
      observer('journey', '--url', (side === 'old' ? old : fresh).url, '--rounds', '0'),
    ),
  ];
  const [prober, ...journeys] = observers;
  const listening = observers.map(async (child) => {
    for await (const line of createInterface({ input: child.stdout })) {
      const event: unknown = JSON.parse(line);
      if (child === prober) log.probe(probeEvent.parse(event));
      const told = journeyEvent.safeParse(event);
      const side = journeys[0] === child ? 'old' : 'new';
      if (told.data?.event === 'journey') log.journey(side, told.data, performance.now());
    }
  });
  try {
    for (;;) {
      const lastWords = await fresh.ready();
      const waitedMs = performance.now() - begin;
      const words = lastWords === null ? {} : { lastWords };
      log.replicas({ wanted: 1, ready: lastWords ? 0 : 1, restarts: 0, waitedMs, limitMs: 30_000, ...words });
      const judgement = judge(log.evidence());
      const seconds = (performance.now() - begin) / 1000;
      if (judgement.verdict !== 'inconclusive' || seconds > 2 * BAR_SECONDS) {
        return { seconds, judgement, held };
      }
      for (const { check, verdict, words: reason } of judgement.reasons) {
        if (verdict === 'inconclusive') held.set(check, `until ${seconds.toFixed(1)} s: ${reason}`);
      }
      await pause(200);
    }
  } finally {
    for (const child of observers) child.stdin.end();
    await Promise.all(listening);
  }
}

function report(name: string, { seconds, judgement, held }: Found): string {
  const reasons = judgement.reasons.map(({ check, verdict, words }) => `  ${check} ${verdict}: ${words}`);
  const holds = [...held].map(([check, words]) => `  ${check} held ${words}`);
  return [`${name}: ${judgement.verdict} after ${seconds.toFixed(1)} s`, ...reasons, ...holds].join('\n');
}

/** The journeys may be faster than the pairs. */
const EXPECTED: Record<GatedFaultKind, readonly Judgement['reasons'][number]['check'][]> = {
  'never-ready': ['replicas'],
  errors: ['errors', 'journeys'],
  slow: ['latency'],
  leak: ['memory'],
  'broken-route': ['journeys'],
};

test.each(faultKinds)('a version with the fault "%s" fails for that reason within a minute', async (kind) => {
  const fresh = await startServer(faultyEnvironment(kind));
  try {
    const found = await gate(fresh);
    const words = report(kind, found);
    console.log(words);
    expect(found.judgement.verdict, `it says: ${words}`).toBe('fail');
    expect(found.seconds, `it says: ${words}`).toBeLessThan(BAR_SECONDS);
    const failed = found.judgement.reasons.filter(({ verdict }) => verdict === 'fail');
    for (const { check } of failed) expect(EXPECTED[kind], `it says: ${words}`).toContain(check);
  } finally {
    await fresh.stop();
  }
});

test(
  `${CLEAN_RELEASES} clean versions pass`,
  async () => {
    for (let release = 1; release <= CLEAN_RELEASES; release += 1) {
      const fresh = await startServer({});
      try {
        const found = await gate(fresh);
        const words = report(`clean ${release}`, found);
        console.log(words);
        expect(found.judgement.verdict, `it says: ${words}`).toBe('pass');
      } finally {
        await fresh.stop();
      }
    }
  },
  60_000 + CLEAN_RELEASES * 150_000,
);

test('nothing of it is left in the system', async () => {
  const answer = await fetch(`${system.url}/api/v1/purposes/?limit=1&search=%5Bcalculaud`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(await answer.json()).toMatchObject({ total: 0 });
});
