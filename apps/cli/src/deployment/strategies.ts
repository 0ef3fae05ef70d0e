import type { EnvironmentConfig, Strategy } from '../environment/schema.ts';
import { otherColour, type Colour, type ReleaseState } from '../stack/release-state.ts';
import type { Action } from './action.ts';

/** A step before it is numbered. `after` is what runs once it is done; left out: what ran before. */
export interface Draft {
  readonly title: string;
  readonly action: Action;
  readonly after?: ReleaseState;
  readonly undo?: { readonly action: Action; readonly after?: ReleaseState };
}

export interface Upgrade {
  readonly config: EnvironmentConfig;
  readonly image: string;
  readonly now: ReleaseState;
  /** Runs probes and journeys: the version that is known to work, where there is one. */
  readonly tools: string;
}

/** The first deployment: the database, its schema, then everything at once. Nobody is there who could be disturbed. */
export function installation({ config, image, now, tools }: Upgrade): readonly Draft[] {
  // No container of it yet, but its networks: the migrations need them, and Docker makes none that nobody is in.
  const ground: ReleaseState = {
    ...now,
    active: 'blue',
    blue: { image, replicas: 0 },
    green: null,
    worker: null,
  };
  const all: ReleaseState = {
    ...ground,
    blue: { image, replicas: config.replicas.api },
    worker: { image },
  };
  return [
    release('Start the database and the gateway', ground),
    { title: 'Apply all migrations', action: { kind: 'migrate', image, phase: 'all' } },
    release('Start API and worker', all, ground),
    switchTo('blue', all),
    { title: 'A journey through everything people do', action: { kind: 'smoke', colour: 'blue', tools } },
  ];
}

/**
 * The steps that put a new version in place of the one that answers. Up to the moment when traffic moves they are the same
 * for all strategies: the schema grows, the old version proves that it runs on it, the new one is started beside it, warmed,
 * and compared with it without any user.
 */
export function upgrade(strategy: Strategy, given: Upgrade): readonly Draft[] {
  const { config, image, now, tools } = given;
  const [old, fresh] = [now.active, otherColour(now.active)];
  const replicas = strategy === 'rolling' ? 1 : config.replicas.api;
  const beside: ReleaseState = { ...now, [fresh]: { image, replicas } };
  return [
    { title: 'Apply the migrations that add', action: { kind: 'migrate', image, phase: 'expand' } },
    {
      title: 'The version that runs passes a journey on the new schema',
      action: { kind: 'smoke', colour: old, tools },
    },
    release(`Start the new version as ${fresh}, beside ${old}`, beside, now),
    {
      title: `Warm ${fresh} up and compare it with ${old}, without users`,
      action: { kind: 'gate', old, new: fresh, tools },
    },
    ...(strategy === 'rolling' ? roll(given, old, beside) : moveTraffic(strategy, given, fresh, beside)),
  ];
}

/** Blue-green: all traffic at once; canary: a share, then more. The old version goes on beside it for an instant rollback. */
function moveTraffic(
  strategy: Exclude<Strategy, 'rolling'>,
  { config, image, tools }: Upgrade,
  fresh: Colour,
  beside: ReleaseState,
): readonly Draft[] {
  const old = otherColour(fresh);
  const switched: ReleaseState = { ...beside, active: fresh };
  const shares = strategy === 'canary' ? config.strategy.canary.steps : [];
  return [
    ...shares.map(
      ({ percent, hold }): Draft => ({
        title: `${percent} % of the traffic goes to ${fresh} for ${inSeconds(hold)}`,
        action: { kind: 'canary', old, new: fresh, percent, ms: hold, tools },
        undo: { action: { kind: 'clear-canary' } },
      }),
    ),
    switchTo(fresh, switched, { colour: old, state: beside }),
    watch({ old, new: fresh, ms: config.strategy.watch, tools }),
    release('Update the worker', { ...switched, worker: { image } }, switched),
  ];
}

/** Rolling: the containers of the colour that answers are replaced one by one, then the one beside them goes. */
function roll(
  { config, image, now, tools }: Upgrade,
  active: Colour,
  beside: ReleaseState,
): readonly Draft[] {
  const rolled: ReleaseState = { ...beside, [active]: { image, replicas: config.replicas.api } };
  const spare = otherColour(active);
  const done: ReleaseState = { ...rolled, [spare]: null, worker: { image } };
  return [
    release(`Replace the containers of ${active} one by one`, rolled, { ...beside, [active]: now[active] }),
    watch({ old: null, new: active, ms: config.strategy.watch, tools }),
    release(`Update the worker, remove ${spare}`, done, rolled),
  ];
}

/** Back to the version that was kept: its colour still runs, so this is one switch, and the first thing that is done. */
export function switchBack({ config, now, tools }: Omit<Upgrade, 'image'>): readonly Draft[] {
  const kept = otherColour(now.active);
  const image = now[kept]?.image;
  if (image === undefined) throw new Error(`there is no ${kept} to switch back to`);
  const switched: ReleaseState = { ...now, active: kept };
  return [
    {
      title: `All traffic goes to ${kept}`,
      action: { kind: 'switch', to: kept, urgent: true },
      after: switched,
      undo: { action: { kind: 'switch', to: now.active }, after: now },
    },
    watch({ old: null, new: kept, ms: Math.min(config.strategy.watch, 10_000), tools }),
    release('Put the worker back', { ...switched, worker: { image } }, switched),
  ];
}

/** After the soak: the version before is given up, and the migrations that it could not have borne are applied. */
export function finish(now: ReleaseState, contract: boolean): readonly Draft[] {
  const kept = otherColour(now.active);
  const image = now[now.active]?.image;
  if (image === undefined) throw new Error('nothing runs that could be finished');
  const alone: ReleaseState = { ...now, [kept]: null };
  return [
    ...(now[kept] === null ? [] : [release(`Remove ${kept}, the version before`, alone)]),
    ...(contract
      ? [
          {
            title: 'Apply the migrations that take away',
            action: { kind: 'migrate', image, phase: 'contract' } as const,
          },
        ]
      : []),
  ];
}

export function release(title: string, state: ReleaseState, before?: ReleaseState): Draft {
  return {
    title,
    action: { kind: 'release', state },
    after: state,
    ...(before && { undo: { action: { kind: 'release', state: before }, after: before } }),
  };
}

function switchTo(
  colour: Colour,
  after: ReleaseState,
  before?: { readonly colour: Colour; readonly state: ReleaseState },
): Draft {
  return {
    title: `All traffic goes to ${colour}`,
    action: { kind: 'switch', to: colour },
    after,
    ...(before && { undo: { action: { kind: 'switch', to: before.colour }, after: before.state } }),
  };
}

function watch(action: Omit<Extract<Action, { kind: 'watch' }>, 'kind'>): Draft {
  return { title: `Watch it for ${inSeconds(action.ms)}`, action: { kind: 'watch', ...action } };
}

function inSeconds(ms: number): string {
  return `${ms / 1000} s`;
}
