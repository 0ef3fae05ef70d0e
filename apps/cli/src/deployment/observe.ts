import { z } from 'zod';
import type { EnvironmentConfig } from '../environment/schema.ts';
import { type Cluster, eventsIn } from '../host/cluster.ts';
import type { Service } from '../host/docker-answers.ts';
import type { Traffic } from '../host/gateway-control.ts';
import { GATEWAY, SERVICES } from '../stack/names.ts';
import { currentGatewayConfig, renderStack } from '../stack/render.ts';
import type { ReleaseState } from '../stack/release-state.ts';
import { labelled, SPEC_LABEL, specHash } from '../stack/spec-label.ts';
import { runJob, withGateway } from './perform.ts';

/** One service whose live description is not what the configuration makes of it. */
export interface Drift {
  readonly service: string;
  readonly words: string;
  /** It runs what it should, but not as often as it should. */
  readonly onlyReplicas: boolean;
}

/** What a version would do to the database, as it says itself. */
export interface MigrationOutlook {
  readonly pending: readonly { readonly migration: string; readonly phase: 'expand' | 'contract' }[];
  /** Applied migrations that took something away and that the version does not know: it cannot run there. */
  readonly beyond: readonly string[];
}

export interface Observed {
  readonly release: ReleaseState;
  /** No service of the stack is there, whatever was released before. */
  readonly empty: boolean;
  /** Null as long as no gateway runs. */
  readonly traffic: Traffic | null;
  /** What a restart of the gateway would make of it. */
  readonly trafficOnDisk: Traffic | null;
  readonly drift: readonly Drift[];
  /** haproxy.cfg is another one today than the one that the gateway runs. */
  readonly gatewayOutdated: boolean;
}

/** The live system against the configuration and what was released last. */
export async function observe(
  cluster: Cluster,
  release: ReleaseState,
  signal: AbortSignal,
): Promise<Observed> {
  const { config } = cluster;
  const services = await cluster.services();
  const drift = driftOf(config, release, services);
  const hasGateway = (await cluster.running(SERVICES.gateway)).length > 0;
  const gateway = hasGateway
    ? await withGateway(cluster, signal, async (control) => control.traffic())
    : undefined;
  return {
    release,
    empty: services.length === 0,
    traffic: gateway?.running ?? null,
    trafficOnDisk: gateway?.onDisk ?? null,
    drift,
    gatewayOutdated:
      hasGateway &&
      (await cluster.exec(SERVICES.gateway, ['cat', GATEWAY.config])) !==
        currentGatewayConfig(config).content,
  };
}

/** Which services are not what the configuration and the release make of them. */
export function driftOf(
  config: EnvironmentConfig,
  release: ReleaseState,
  services: readonly Service[],
): readonly Drift[] {
  const live = new Map(services.map((service) => [service.Spec.Name, service]));
  const document = labelled(renderStack(config, release));
  const wanted = Object.entries(document.file.services);
  const names = new Set(wanted.map(([name]) => `${document.name}_${name}`));
  const drift = wanted.flatMap(([name, service]): Drift[] => {
    const found = live.get(`${document.name}_${name}`);
    const replicas = service.deploy.replicas ?? 1;
    if (!found) return [{ service: name, words: 'is missing', onlyReplicas: false }];
    const { ContainerSpec } = found.Spec.TaskTemplate;
    const other = [
      ContainerSpec?.Labels[SPEC_LABEL] === specHash(service, document) ? '' : 'its description',
      ContainerSpec?.Image === service.image
        ? ''
        : `its image: ${ContainerSpec?.Image} instead of ${service.image}`,
    ].filter(Boolean);
    const count = found.Spec.Mode.Replicated?.Replicas;
    const differences =
      count === replicas ? other : [...other, `its replicas: ${count} instead of ${replicas}`];
    if (differences.length === 0) return [];
    const words = `differs in ${differences.join(', ')}`;
    return [{ service: name, words, onlyReplicas: other.length === 0 }];
  });
  const unknown = [...live.keys()].filter((name) => !names.has(name));
  return [
    ...drift,
    ...unknown.map((name) => ({ service: name, words: 'is nothing of ours', onlyReplicas: false })),
  ];
}

const databaseStatus = z.object({
  event: z.literal('database_status'),
  newer: z.array(z.string()),
  migrations: z.array(
    z.object({
      migration: z.string(),
      phase: z.enum(['expand', 'contract']),
      applied_at: z.string().nullable(),
    }),
  ),
});

/** Asks a version, in a container of its image, what it would do to the live database. Changes nothing. */
export async function migrationOutlook(
  cluster: Cluster,
  release: ReleaseState,
  image: string,
  signal: AbortSignal,
): Promise<MigrationOutlook> {
  const lines = await runJob(cluster, {
    release,
    name: 'outlook',
    image,
    command: ['calculaud', '--json', 'db', 'status'],
    signal,
    // 2: something is pending.
    accepted: [2],
  });
  const [status] = eventsIn(databaseStatus, lines.join('\n'));
  if (!status)
    throw new Error(`${image} does not say what it would do to the database:\n${lines.join('\n')}`);
  return {
    pending: status.migrations.filter(({ applied_at }) => applied_at === null),
    beyond: status.migrations
      .filter(({ migration, phase }) => status.newer.includes(migration) && phase === 'contract')
      .map(({ migration }) => migration),
  };
}
