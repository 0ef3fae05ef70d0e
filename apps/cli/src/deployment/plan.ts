import type { EnvironmentConfig, Strategy } from '../environment/schema.ts';
import { gatewayImage } from '../stack/images.ts';
import { currentGatewayConfig } from '../stack/render.ts';
import { type Colour, otherColour, type ReleaseState } from '../stack/release-state.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Step } from './action.ts';
import type { Plan } from './journal.ts';
import { type Json, jsonSchema } from './json.ts';
import type { MigrationOutlook, Observed } from './observe.ts';
import { type Draft, finish, installation, release, switchBack, upgrade } from './strategies.ts';

export interface Wish {
  readonly config: EnvironmentConfig;
  readonly image: string;
  readonly strategy: Strategy;
  /** As it was typed, for the journal. */
  readonly command: string;
  readonly id: string;
}

/** What `calculaud deploy` would do. Undefined: everything is as it should be. */
export function planDeployment(
  wish: Wish,
  observed: Observed,
  outlook: MigrationOutlook | null,
): Plan | undefined {
  const { config, image, strategy } = wish;
  const before = observed.release;
  const running = before[before.active];
  if (running === null || running.replicas === 0 || observed.empty) {
    const lines = [`+ calculaud-${config.name}: the whole stack, ${config.replicas.api} × ${image}`];
    const now = { ...before, gateway: startedGateway(config) };
    return numbered(wish, lines, installation({ config, image, now, tools: image }));
  }
  if (outlook) refuseWhatCannotBeTakenBack(image, outlook);
  const repair = repairs(config, observed, before);
  const now = repair.after;
  const isNew = running.image !== image;
  const lines = [
    ...repair.lines,
    ...(isNew ? [...migrationLines(outlook), ...linesOf(strategy, wish, now)] : []),
  ];
  const steps = [
    ...repair.steps,
    ...(isNew ? upgrade(strategy, { config, image, now, tools: running.image }) : []),
  ];
  if (steps.length === 0) return undefined;
  return numbered(wish, lines, steps);
}

export function planRollback(wish: Omit<Wish, 'strategy' | 'image'>, observed: Observed): Plan {
  const { config } = wish;
  const now = observed.release;
  const kept = otherColour(now.active);
  const before = now[kept];
  if (before === null || before.replicas === 0) {
    throw new CliError(
      'No version is kept beside the one that runs, so there is nothing to switch back to.',
      'See `calculaud history`, and deploy an earlier image: `calculaud deploy --image <image>`.',
      EXIT.refused,
    );
  }
  return numbered(
    wish,
    [
      `~ traffic: ${now.active} (${now[now.active]?.image}) → ${kept} (${before.image})`,
      `~ worker: ${before.image}`,
      'Downtime: none. The switch comes at once, the rest takes about 30 s.',
    ],
    switchBack({ config, now, tools: before.image }),
  );
}

export function planFinish(
  wish: Omit<Wish, 'strategy' | 'image'>,
  observed: Observed,
  outlook: MigrationOutlook,
): Plan | undefined {
  const now = observed.release;
  const contract = outlook.pending.filter(({ phase }) => phase === 'contract');
  const steps = finish(now, contract.length > 0);
  if (steps.length === 0) return undefined;
  const kept = otherColour(now.active);
  return numbered(
    wish,
    [
      ...(now[kept] ? [`- ${kept}: ${now[kept].image}; \`rollback\` cannot switch back to it any more`] : []),
      ...contract.map(({ migration }) => `- migration ${migration}: earlier versions cannot run after it`),
    ],
    steps,
  );
}

function migrationLines(outlook: MigrationOutlook | null): string[] {
  return (outlook?.pending ?? []).map(({ migration, phase }) =>
    phase === 'expand' ? `+ migration ${migration}` : `- migration ${migration}: later, by \`deploy finish\``,
  );
}

/** Nothing may stand between the new version and a way back. */
function refuseWhatCannotBeTakenBack(image: string, { pending, beyond }: MigrationOutlook): void {
  if (beyond.length > 0) {
    throw new CliError(
      `${image} cannot run on this database: ${beyond.join(', ')} took away what it needs.`,
      'Deploy a version that knows these migrations.',
      EXIT.refused,
    );
  }
  const contract = pending.find(({ phase }) => phase === 'contract');
  const behind = pending
    .slice(pending.findIndex((one) => one === contract))
    .find(({ phase }) => phase === 'expand');
  if (contract && behind) {
    throw new CliError(
      `${image} needs ${behind.migration}, which comes after ${contract.migration}; and once that is applied the version ` +
        'that runs now could not be brought back.',
      'Run `calculaud deploy finish` when the version that runs has proven itself, or deploy the version between them first.',
      EXIT.refused,
    );
  }
}

/** The gateway as it would be started today. */
function startedGateway(config: EnvironmentConfig): NonNullable<ReleaseState['gateway']> {
  return { image: gatewayImage(config), config: currentGatewayConfig(config).name };
}

/** What the configuration says now and the live stack does not show, for the version that runs. */
function repairs(
  config: EnvironmentConfig,
  { drift, gatewayOutdated, traffic, trafficOnDisk }: Observed,
  now: ReleaseState,
): { readonly lines: string[]; readonly steps: Draft[]; readonly after: ReleaseState } {
  const running = now[now.active];
  const gateway = startedGateway(config);
  const newGateway = now.gateway?.image !== gateway.image;
  const scaled = running !== null && running.replicas !== config.replicas.api;
  const workers = now.worker?.replicas ?? config.replicas.worker;
  const scaledWorker = now.worker !== null && workers !== config.replicas.worker;
  const after: ReleaseState = {
    ...now,
    ...(newGateway && { gateway }),
    ...(scaled && { [now.active]: { ...running, replicas: config.replicas.api } }),
    ...(scaledWorker && { worker: { image: now.worker.image } }),
  };
  const reload = gatewayOutdated && !newGateway;
  // Now, or after a restart of the gateway.
  const astray = [traffic, trafficOnDisk].find(
    (one) => one !== null && (one.active !== now.active || one.canary > 0),
  );
  return {
    after,
    lines: [
      ...drift.map(({ service, words }) => `~ ${service} ${words}`),
      ...(newGateway
        ? [
            `~ gateway: ${now.gateway?.image} → ${gateway.image}; nobody is answered for about 2 s while it is replaced`,
          ]
        : []),
      ...(scaled ? [`~ replicas: ${running.replicas} → ${config.replicas.api}`] : []),
      ...(scaledWorker ? [`~ replicas of the worker: ${workers} → ${config.replicas.worker}`] : []),
      ...(reload ? ['~ gateway: haproxy.cfg, handed over without closing a socket'] : []),
      ...(astray ? [`~ traffic: ${astray.active ?? 'by readiness'} → ${now.active}`] : []),
    ],
    steps: [
      ...(drift.length > 0 || newGateway || scaled || scaledWorker
        ? [release('Make the stack what the configuration says', after, now)]
        : []),
      ...(reload
        ? [{ title: 'Hand the gateway its new configuration', action: { kind: 'reload' } } as const]
        : []),
      ...(astray
        ? [
            {
              title: `All traffic goes to ${now.active}`,
              action: { kind: 'switch', to: now.active },
            } as const,
          ]
        : []),
    ],
  };
}

function linesOf(strategy: Strategy, { config, image }: Wish, now: ReleaseState): string[] {
  const [old, fresh]: [Colour, Colour] = [now.active, otherColour(now.active)];
  const before = now[old]?.image;
  const kept = now[fresh];
  const shares = config.strategy.canary.steps.map(({ percent }) => `${percent} %`).join(', ');
  const seconds = Math.round(
    30 +
      config.strategy.watch / 1000 +
      (strategy === 'canary'
        ? config.strategy.canary.steps.reduce((sum, { hold }) => sum + hold / 1000, 0)
        : 0) +
      (strategy === 'rolling' ? config.replicas.api * 8 : 0),
  );
  return [
    ...(strategy === 'rolling'
      ? [`~ ${old}: ${before} → ${image}, one container after the other`]
      : [
          kept
            ? `~ ${fresh}: ${kept.image} → ${image} × ${config.replicas.api}`
            : `+ ${fresh}: ${image} × ${config.replicas.api}`,
          `~ traffic: ${old} → ${fresh}${strategy === 'canary' ? `, by way of ${shares}` : ', at once'}`,
          `= ${old}: ${before} is kept for \`calculaud rollback\``,
        ]),
    `~ worker: ${now.worker?.image ?? 'none'} → ${image}`,
    `Strategy: ${strategy}. Downtime: none. Reversible: at every step. Takes about ${seconds} s.`,
  ];
}

/** A plan of steps, numbered from 1. */
export function numbered(
  { id, command, config }: Pick<Wish, 'id' | 'command' | 'config'>,
  summary: readonly string[],
  drafts: readonly Draft[],
): Plan {
  return {
    id,
    command,
    summary,
    data: { environment: config.name },
    steps: drafts.map(({ title, action, after, undo }, index) => ({
      id: String(index + 1),
      title,
      kind: action.kind,
      data: asJson({ action, release: after ?? null }),
      ...(undo && { undo: asJson({ action: undo.action, release: undo.after ?? null }) }),
    })),
  };
}

function asJson(step: Step): Json {
  return jsonSchema.parse(JSON.parse(JSON.stringify(step)));
}
