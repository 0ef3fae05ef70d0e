import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ProbeSummary, probeEvent } from '../../apps/cli/src/journey/probe-events.ts';
import { repository } from '../system.ts';
import type { StackEnvironment } from './stack-environment.ts';

/** Users of a stack: mixed traffic through the published port, until it is ended. */
export interface Traffic {
  readonly mark: (phase: string) => void;
  readonly end: () => Promise<ProbeSummary>;
}

/** Resolves when the first requests are under way. */
export async function startTraffic(
  environment: StackEnvironment,
  { https, rate }: { readonly https: number; readonly rate: number },
): Promise<Traffic> {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-traffic-'));
  const [gateway = ''] = await environment.containers('gateway');
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, await environment.docker('exec', gateway, 'cat', '/var/lib/haproxy/tls.pem'));
  const program = spawn(
    process.execPath,
    [
      'apps/cli/dist/main.js',
      'probe',
      '--json',
      '--rate',
      String(rate),
      '--ca',
      ca,
      '--target',
      'gateway=https://stack.example.org',
      '--connect',
      `127.0.0.1:${https}`,
    ],
    { cwd: repository, stdio: ['pipe', 'pipe', 'pipe'] },
  );
  program.stdin.write(`${JSON.stringify({ token: await newToken(environment) })}\n`);
  const said: string[] = [];
  createInterface({ input: program.stderr }).on('line', (line) => said.push(line));
  let summary: ProbeSummary | undefined;
  await new Promise<void>((resolve, reject) => {
    program.once('exit', (code) =>
      reject(new Error(`The traffic ended with ${code}: ${said.slice(-10).join('\n')}`)),
    );
    createInterface({ input: program.stdout }).on('line', (line) => {
      const event = probeEvent.parse(JSON.parse(line));
      if (event.event === 'window') resolve();
      if (event.event === 'summary') summary = event;
    });
  });
  return {
    mark: (phase) => program.stdin.write(`${JSON.stringify({ mark: phase })}\n`),
    end: async () => {
      const ended = exitOf(program);
      program.stdin.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
      if (!summary) throw new Error(`The traffic has no summary:\n${said.slice(-10).join('\n')}`);
      return summary;
    },
  };
}

async function newToken(environment: StackEnvironment): Promise<string> {
  const [api = ''] = [
    ...(await environment.containers('api-blue')),
    ...(await environment.containers('api-green')),
  ];
  return environment.docker(
    'exec',
    api,
    'entrypoint',
    'calculaud',
    'token',
    'create',
    '--role',
    'admin',
    '--name',
    'traffic',
  );
}

async function exitOf(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null) return;
  await new Promise<void>((resolve) => {
    program.once('exit', () => resolve());
  });
}
