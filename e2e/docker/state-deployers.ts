import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { type Answer, answerSchema, type orderSchema } from './state-order.ts';

/** What a deployer was told and whether it lives. */
export interface Deployer {
  readonly pid: number;
  /** Its answer, or undefined when it was killed over it. */
  readonly order: (order: z.input<typeof orderSchema>) => Promise<Answer | undefined>;
  readonly kill: () => Promise<void>;
}

/** A place where several deployers change the same thing. */
export interface Site {
  /** What was last made of it. */
  readonly world: () => string;
  /** Each change, oldest first, as `token who: what`. */
  readonly log: () => readonly string[];
  /** Empty as long as there were never two at work at once. */
  readonly collisions: () => string;
  readonly deployer: () => Promise<Deployer>;
  readonly close: () => Promise<void>;
}

export function openSite(host: string): Site {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-site-'));
  const deployers: Deployer[] = [];
  const text = (name: string): string =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '';
  return {
    world: () => text('world'),
    log: () => text('log').split('\n').filter(Boolean),
    collisions: () => text('two-at-work'),
    deployer: async () => {
      const deployer = await startDeployer(host, folder);
      deployers.push(deployer);
      return deployer;
    },
    close: async () => {
      await Promise.all(deployers.map(async ({ kill }) => kill()));
      rmSync(folder, { recursive: true });
    },
  };
}

async function startDeployer(host: string, folder: string): Promise<Deployer> {
  const script = join(import.meta.dirname, 'state-deployer.ts');
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', script, JSON.stringify({ host, folder })],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  await once(child, 'spawn');
  const { stdin, stdout, pid } = child;
  if (!stdin || !stdout || pid === undefined) throw new Error('The deployer has no pipes');
  const gone = once(child, 'exit').then(() => undefined);
  const lines = createInterface({ input: stdout });
  return {
    pid,
    order: async (order) => {
      const answer = new Promise<Answer>((resolve) => {
        lines.once('line', (line) => resolve(answerSchema.parse(JSON.parse(line))));
      });
      stdin.write(`${JSON.stringify(order)}\n`);
      return Promise.race([answer, gone]);
    },
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
