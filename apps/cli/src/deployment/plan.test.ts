import { expect, test } from 'vitest';
import { readEnvironment } from '../environment/read.ts';
import type { EnvironmentConfig } from '../environment/schema.ts';
import { NOTHING_RELEASED, type ReleaseState } from '../stack/release-state.ts';
import { currentGatewayConfig } from '../stack/render.ts';
import { type Action, stepSchema } from './action.ts';
import type { Plan } from './journal.ts';
import type { MigrationOutlook, Observed } from './observe.ts';
import { planDeployment, planFinish, planRollback } from './plan.ts';

const config = configOf('');

function configOf(more: string): EnvironmentConfig {
  const read = readEnvironment(
    `name: shop\nkind: production\ndomain: shop.example.org\nimage: calculaud:1\nhosts: [{name: one, docker: "unix:///var/run/docker.sock"}]\n${more}`,
  );
  if (!read.config) throw new Error(JSON.stringify(read.problems));
  return read.config;
}

const running: ReleaseState = {
  ...NOTHING_RELEASED,
  active: 'blue',
  blue: { image: 'calculaud:1', replicas: 2 },
  worker: { image: 'calculaud:1' },
  gateway: { image: 'calculaud-gateway:1', config: currentGatewayConfig(config).name },
};

function observed(release: ReleaseState, more: Partial<Observed> = {}): Observed {
  const traffic = { active: release.active, next: null, canary: 0 };
  return {
    release,
    empty: false,
    traffic,
    trafficOnDisk: traffic,
    drift: [],
    gatewayOutdated: false,
    ...more,
  };
}

const NO_MIGRATIONS: MigrationOutlook = { pending: [], beyond: [] };

function wish(image: string, strategy: 'rolling' | 'blue-green' | 'canary' = 'blue-green', given = config) {
  return { config: given, image, strategy, command: `deploy ${image}`, id: 'a' };
}

function actionsOf(plan: Plan | undefined): Action[] {
  return (plan?.steps ?? []).map(({ data }) => stepSchema.parse(data).action);
}

function kindsOf(plan: Plan | undefined): string[] {
  return actionsOf(plan).map((action) => action.kind);
}

/** What runs when every step was done, as the steps themselves write it down. */
function endOf(plan: Plan | undefined, before: ReleaseState): ReleaseState {
  return (plan?.steps ?? []).reduce((state, { data }) => stepSchema.parse(data).release ?? state, before);
}

/** What runs after everything was undone again from the given step on. */
function undoneFrom(plan: Plan | undefined, before: ReleaseState, count: number): ReleaseState {
  const steps = (plan?.steps ?? []).slice(0, count);
  const reached = steps.reduce((state, { data }) => stepSchema.parse(data).release ?? state, before);
  return steps
    .toReversed()
    .reduce(
      (state, { undo }) => (undo === undefined ? state : (stepSchema.parse(undo).release ?? state)),
      reached,
    );
}

test('the first deployment: database, schema, everything, traffic, a journey', () => {
  const plan = planDeployment(
    wish('calculaud:1'),
    observed(NOTHING_RELEASED, { traffic: null, empty: true }),
    null,
  );
  expect(kindsOf(plan)).toEqual(['release', 'migrate', 'release', 'switch', 'smoke']);
  expect(endOf(plan, NOTHING_RELEASED)).toMatchObject({
    active: 'blue',
    blue: { image: 'calculaud:1', replicas: 2 },
    green: null,
    worker: { image: 'calculaud:1' },
  });
});

test('a stack whose services are all gone is installed again', () => {
  const plan = planDeployment(wish('calculaud:1'), observed(running, { empty: true, traffic: null }), null);
  expect(kindsOf(plan)[1]).toBe('migrate');
});

test('when nothing differs there is nothing to do', () => {
  expect(planDeployment(wish('calculaud:1'), observed(running), null)).toBeUndefined();
});

test.each(['rolling', 'blue-green', 'canary'] as const)(
  '%s: the schema grows first, the old version proves itself on it, and no user moves before the gate',
  (strategy) => {
    const plan = planDeployment(wish('calculaud:2', strategy), observed(running), NO_MIGRATIONS);
    expect(kindsOf(plan).slice(0, 4)).toEqual(['migrate', 'smoke', 'release', 'gate']);
    expect(actionsOf(plan)[0]).toMatchObject({ image: 'calculaud:2', phase: 'expand' });
    // Up to there the colour that answers is as it was.
    const states = actionsOf(plan)
      .slice(0, 4)
      .flatMap((action) => (action.kind === 'release' ? [action.state] : []));
    expect(states).toMatchObject([{ active: 'blue', blue: running.blue }]);
    expect(actionsOf(plan).some((action) => action.kind === 'migrate' && action.phase !== 'expand')).toBe(
      false,
    );
  },
);

test('blue-green: one switch, and the old version is kept beside', () => {
  const plan = planDeployment(wish('calculaud:2'), observed(running), NO_MIGRATIONS);
  expect(kindsOf(plan).slice(4)).toEqual(['switch', 'watch', 'release']);
  expect(endOf(plan, running)).toMatchObject({
    active: 'green',
    blue: running.blue,
    green: { image: 'calculaud:2', replicas: 2 },
    worker: { image: 'calculaud:2' },
  });
});

test('canary: the shares of the configuration, each held and judged, then the switch', () => {
  const given = configOf(
    'strategy: {canary: {steps: [{percent: 5, hold: 10s}, {percent: 40, hold: 20s}]}}\n',
  );
  const plan = planDeployment(wish('calculaud:2', 'canary', given), observed(running), NO_MIGRATIONS);
  expect(kindsOf(plan).slice(4)).toEqual(['canary', 'canary', 'switch', 'watch', 'release']);
  expect(actionsOf(plan).slice(4, 6)).toMatchObject([
    { percent: 5, ms: 10_000, old: 'blue', new: 'green' },
    { percent: 40, ms: 20_000 },
  ]);
});

test('rolling: one spare container is judged before the others are replaced, and goes at the end', () => {
  const plan = planDeployment(wish('calculaud:2', 'rolling'), observed(running), NO_MIGRATIONS);
  expect(actionsOf(plan)[2]).toMatchObject({ state: { green: { image: 'calculaud:2', replicas: 1 } } });
  expect(kindsOf(plan).slice(4)).toEqual(['release', 'watch', 'release']);
  expect(endOf(plan, running)).toMatchObject({
    active: 'blue',
    blue: { image: 'calculaud:2', replicas: 2 },
    green: null,
    worker: { image: 'calculaud:2' },
  });
});

test.each(['rolling', 'blue-green', 'canary'] as const)(
  '%s: undone after whichever step, everything is as it was',
  (strategy) => {
    const plan = planDeployment(wish('calculaud:2', strategy), observed(running), NO_MIGRATIONS);
    const count = plan?.steps.length ?? 0;
    expect(count).toBeGreaterThan(5);
    for (let done = 0; done < count; done += 1) {
      expect(undoneFrom(plan, running, done)).toEqual(running);
    }
  },
);

test('probes are run by the version that is known to work', () => {
  const plan = planDeployment(wish('calculaud:2'), observed(running), NO_MIGRATIONS);
  const tools = actionsOf(plan).flatMap((action) => ('tools' in action ? [action.tools] : []));
  expect(tools.length).toBeGreaterThan(2);
  expect(new Set(tools)).toEqual(new Set(['calculaud:1']));
});

test('drift is said and mended, for the version that runs', () => {
  const drift = [{ service: 'worker', words: 'is missing', onlyReplicas: false }];
  const plan = planDeployment(wish('calculaud:1'), observed(running, { drift }), null);
  expect(plan?.summary).toContain('~ worker is missing');
  expect(actionsOf(plan)).toMatchObject([{ kind: 'release', state: running }]);
});

test('another number of replicas in the configuration is a change of its own', () => {
  const given = configOf('replicas: {api: 4}\n');
  const plan = planDeployment(wish('calculaud:1', 'blue-green', given), observed(running), null);
  expect(actionsOf(plan)).toMatchObject([{ kind: 'release', state: { blue: { replicas: 4 } } }]);
});

test('a changed haproxy.cfg is handed over; a new gateway is announced, for it is not loss-free', () => {
  const reload = planDeployment(wish('calculaud:1'), observed(running, { gatewayOutdated: true }), null);
  expect(kindsOf(reload)).toEqual(['reload']);
  const given = configOf('gateway: {image: "calculaud-gateway:9"}\n');
  const replaced = planDeployment(wish('calculaud:1', 'blue-green', given), observed(running), null);
  expect(replaced?.summary.join()).toMatch(/calculaud-gateway:1 → calculaud-gateway:9; nobody is answered/);
});

test('traffic that was sent astray by hand comes back', () => {
  const traffic = { active: 'green', next: null, canary: 0 } as const;
  const plan = planDeployment(wish('calculaud:1'), observed(running, { traffic }), null);
  expect(actionsOf(plan)).toEqual([{ kind: 'switch', to: 'blue' }]);
});

test('a version that could not be taken back is refused, and it says why', () => {
  const outlook: MigrationOutlook = {
    pending: [
      { migration: '0020_drop', phase: 'contract' },
      { migration: '0021_add', phase: 'expand' },
    ],
    beyond: [],
  };
  expect(() => planDeployment(wish('calculaud:2'), observed(running), outlook)).toThrow(
    /0021_add, which comes after 0020_drop.*could not be brought back/,
  );
});

test('a version that the schema has left behind is refused', () => {
  const outlook: MigrationOutlook = { pending: [], beyond: ['0020_drop'] };
  expect(() => planDeployment(wish('calculaud:0'), observed(running), outlook)).toThrow(
    /0020_drop took away/,
  );
});

test('a contract migration at the end waits for `deploy finish`', () => {
  const outlook: MigrationOutlook = { pending: [{ migration: '0020_drop', phase: 'contract' }], beyond: [] };
  const plan = planDeployment(wish('calculaud:2'), observed(running), outlook);
  expect(plan?.summary).toContain('- migration 0020_drop: later, by `deploy finish`');
});

const switched: ReleaseState = {
  ...running,
  active: 'green',
  green: { image: 'calculaud:2', replicas: 2 },
  worker: { image: 'calculaud:2' },
};

test('a rollback switches first', () => {
  const plan = planRollback({ config, command: 'rollback', id: 'a' }, observed(switched));
  expect(actionsOf(plan)[0]).toEqual({ kind: 'switch', to: 'blue', urgent: true });
  expect(endOf(plan, switched)).toMatchObject({ active: 'blue', worker: { image: 'calculaud:1' } });
});

test('without a kept version there is nothing to switch back to', () => {
  expect(() => planRollback({ config, command: 'rollback', id: 'a' }, observed(running))).toThrow(
    /No version is kept/,
  );
});

test('finishing removes the kept version and then applies what it could not bear', () => {
  const outlook: MigrationOutlook = { pending: [{ migration: '0020_drop', phase: 'contract' }], beyond: [] };
  const plan = planFinish({ config, command: 'deploy finish', id: 'a' }, observed(switched), outlook);
  expect(actionsOf(plan)).toMatchObject([
    { kind: 'release', state: { blue: null, green: switched.green } },
    { kind: 'migrate', phase: 'contract', image: 'calculaud:2' },
  ]);
  const nothing = planFinish(
    { config, command: 'deploy finish', id: 'a' },
    observed({ ...switched, blue: null }),
    NO_MIGRATIONS,
  );
  expect(nothing).toBeUndefined();
});
