import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadEnvironment } from '../environment/file.ts';
import { type Cluster, openCluster } from '../host/cluster.ts';
import { NOTHING_RELEASED } from '../stack/release-state.ts';
import { type Engine, startEngine } from '../testing/engine.ts';
import { writeEnvironment } from '../testing/environment.ts';
import { terminalOf } from '../ui/terminal.ts';
import { markStep, startJournal } from './journal-store.ts';
import { type Lease, withLease } from './lease.ts';
import { numbered } from './plan.ts';
import { openRegister } from './register.ts';
import { endUnfinished } from './session.ts';
import { type Draft, switchBack } from './strategies.ts';

let engine: Engine;
let cluster: Cluster;
let file: string;
beforeEach(async () => {
  engine = await startEngine();
  file = writeEnvironment(engine.address);
  cluster = await openCluster(loadEnvironment({ file, name: undefined }));
});
afterEach(async () => {
  await cluster.close();
  await engine.stop();
  rmSync(dirname(file), { recursive: true });
});

const quiet = terminalOf(
  { stdout: () => undefined, stderr: () => undefined, interactive: false, colours: false },
  false,
);

/** Begins a plan, as a command that is killed in the middle of its last step. */
async function killedInLast(command: string, drafts: readonly Draft[]): Promise<void> {
  const plan = numbered({ id: 'p', command, config: cluster.config }, [], drafts);
  await work('dana@laptop', command, async (lease) => {
    await startJournal(lease, plan);
    for (const { id } of plan.steps) {
      await markStep(lease, id, 'begun');
      if (id !== plan.steps.at(-1)?.id) await markStep(lease, id, 'done');
    }
  });
}

async function work<T>(who: string, command: string, what: (lease: Lease) => Promise<T>): Promise<T> {
  return withLease(openRegister(cluster.manager.api, 'calculaud-production'), { who, command }, what);
}

const kept = { image: 'calculaud:1', replicas: 1 };
const now = { ...NOTHING_RELEASED, blue: { image: 'calculaud:2', replicas: 1 }, green: kept };

test('a rollback whose command was killed after its switch is finished, and not watched', async () => {
  const [switched, watched] = switchBack({ config: cluster.config, now, tools: 'calculaud:1' });
  if (!switched || !watched) throw new Error('a rollback switches and watches');
  await killedInLast('rollback', [switched, watched]);
  const ended = await work('eli@desk', 'deploy calculaud:3', async (lease) =>
    endUnfinished(lease, cluster, quiet),
  );
  expect(ended?.entry).toMatchObject({
    command: 'rollback',
    who: 'eli@desk',
    outcome: 'done',
    note: 'begun by dana@laptop, whose command ended early; finished by "deploy calculaud:3"',
    steps: [{ state: 'done' }, { state: 'done', detail: expect.stringMatching(/^not watched/) }],
  });
});

test('a deployment whose command was killed at a gate is undone, and the history says whose it was', async () => {
  const gate: Draft = {
    title: 'Compare them',
    action: { kind: 'gate', old: 'blue', new: 'green', tools: 'calculaud:1' },
  };
  await killedInLast('deploy calculaud:2', [gate]);
  const ended = await work('eli@desk', 'deploy calculaud:3', async (lease) =>
    endUnfinished(lease, cluster, quiet),
  );
  expect(ended?.entry).toMatchObject({
    command: 'deploy calculaud:2',
    outcome: 'rolled back',
    note: 'the command of dana@laptop ended before everything was judged',
    steps: [{ state: 'undone' }],
  });
});
