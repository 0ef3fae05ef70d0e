import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Journal, nextToApply, nextToUndo, type Plan } from '../../apps/cli/src/deployment/journal.ts';
import {
  finishJournal,
  loadPlan,
  markStep,
  startJournal,
  turnToUndo,
} from '../../apps/cli/src/deployment/journal-store.ts';
import { type Lease, withLease } from '../../apps/cli/src/deployment/lease.ts';
import { LeaseHeld, LeaseLost } from '../../apps/cli/src/deployment/lease-errors.ts';
import { openRegister } from '../../apps/cli/src/deployment/register.ts';
import { openDocker } from '../../apps/cli/src/host/docker.ts';
import { parseDockerAddress } from '../../apps/cli/src/host/docker-address.ts';
import type { DockerApi } from '../../apps/cli/src/host/docker-api.ts';
import { type Order, orderSchema } from './state-order.ts';

/**
 * A command that deploys, in a process of its own so that it can be killed: it reads orders, one line of JSON each, and
 * answers each with a line. What it changes is a file that stands for the world; `at-work` is there while somebody does.
 */

const { host, folder } = z
  .object({ host: z.string(), folder: z.string() })
  .parse(JSON.parse(process.argv[2] ?? ''));
const docker = await openDocker(parseDockerAddress(host));

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await carryOut(orderSchema.parse(JSON.parse(line))))}\n`);
}
await docker.close();

async function carryOut(order: Order): Promise<unknown> {
  const begunAt = Date.now();
  const register = openRegister(dyingApi(docker.api, order), order.stack);
  try {
    const did = await withLease(
      register,
      { who: order.who, command: 'deploy', waitSeconds: order.waitSeconds },
      (lease) => deploy(lease, order),
    );
    return { outcome: 'worked', did, ms: Date.now() - begunAt };
  } catch (error) {
    if (error instanceof LeaseHeld) return { outcome: 'held', by: error.holder.who };
    if (error instanceof LeaseLost) return { outcome: 'lost' };
    return { outcome: 'failed', error: String(error) };
  }
}

/** Ends this process without a word right after it has written for the n-th time. */
function dyingApi(api: DockerApi, { dieAfterWrites }: Order): DockerApi {
  let writes = 0;
  const counted =
    <T extends readonly unknown[], R>(write: (...given: T) => Promise<R>) =>
    async (...given: T): Promise<R> => {
      const result = await write(...given);
      writes += 1;
      if (writes === dieAfterWrites) process.kill(process.pid, 'SIGKILL');
      return result;
    };
  return {
    ...api,
    createConfig: counted(api.createConfig),
    updateConfigLabels: counted(api.updateConfigLabels),
    removeConfig: counted(api.removeConfig),
  };
}

/** First what another one left unfinished, then the own plan. */
async function deploy(lease: Lease, order: Order): Promise<string[]> {
  const did: string[] = [];
  const { journal } = lease.record();
  if (journal) {
    if (order.undoOthers) await turnToUndo(lease, 'the deployer was killed');
    did.push(await finish(lease, await loadPlan(lease.register, journal), order));
  }
  if (order.plan) {
    await startJournal(lease, order.plan);
    did.push(await finish(lease, order.plan, order));
  }
  return did;
}

async function finish(lease: Lease, plan: Plan, order: Order): Promise<string> {
  const journal = (): Journal => {
    const now = lease.record().journal;
    if (!now) throw new Error('The journal is gone');
    return now;
  };
  if (journal().direction === 'apply') {
    for (let step = nextToApply(journal(), plan); step; step = nextToApply(journal(), plan)) {
      const { id } = step;
      await markStep(lease, id, 'begun');
      await lease.guard(async (signal) => work(lease, order, `${plan.id} ${id}`, signal));
      await markStep(lease, id, 'done');
    }
  } else {
    for (let step = nextToUndo(journal(), plan); step; step = nextToUndo(journal(), plan)) {
      await lease.guard(async (signal) => work(lease, order, 'untouched', signal));
      await markStep(lease, step.id, 'undone');
    }
  }
  const outcome = journal().direction === 'apply' ? 'done' : 'rolled back';
  await finishJournal(lease, { outcome, figures: { sent: 100, failed: 0 } });
  return `${plan.id} ${outcome}`;
}

/** Changes the world, for a moment in which nobody else may. */
async function work(lease: Lease, order: Order, state: string, signal: AbortSignal): Promise<void> {
  if (order.pause === 'before work') process.kill(process.pid, 'SIGSTOP');
  lease.assertHeld();
  enter();
  try {
    if (order.pause === 'die at work') process.kill(process.pid, 'SIGKILL');
    writeFileSync(join(folder, 'world'), state);
    appendFileSync(join(folder, 'log'), `${lease.token} ${order.who}: ${state}\n`);
    await sleep(order.workMs, undefined, { signal });
  } finally {
    rmSync(join(folder, 'at-work'));
  }
}

function enter(): void {
  const file = join(folder, 'at-work');
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch {
    const other = Number(readFileSync(file, 'utf8'));
    if (isAlive(other)) {
      appendFileSync(join(folder, 'two-at-work'), `${process.pid} met ${other}\n`);
      throw new Error(`Two at work: ${process.pid} and ${other}`);
    }
    writeFileSync(file, String(process.pid));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
