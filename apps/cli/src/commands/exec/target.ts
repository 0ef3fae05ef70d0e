import type { Cluster } from '../../host/cluster.ts';
import type { Docker } from '../../host/docker.ts';
import type { ReleaseState } from '../../stack/release-state.ts';
import { stackName } from '../../stack/names.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';

/** A running container that somebody named. */
export interface Target {
  /** Such as `api-blue.1`. */
  readonly instance: string;
  readonly container: string;
  readonly docker: Docker;
}

/** Reads `api` (the colour that answers), a service, or one of its containers such as `api-blue.2`. */
export function parseTarget(
  text: string,
  { active }: ReleaseState,
): { service: string; slot: number | undefined } {
  const [, service = text, number] = /^(.+)\.(\d{1,3})$/.exec(text) ?? [];
  return {
    service: service === 'api' ? `api-${active}` : service,
    slot: number === undefined ? undefined : Number(number),
  };
}

export async function findTarget(cluster: Cluster, text: string, release: ReleaseState): Promise<Target> {
  const { manager, config } = cluster;
  const { service, slot } = parseTarget(text, release);
  const prefix = `${stackName(config)}_`;
  const live = (await cluster.services()).map(({ Spec }) => Spec.Name.slice(prefix.length)).toSorted();
  if (!live.includes(service)) {
    throw new CliError(
      live.length === 0
        ? `Nothing is deployed in ${config.name}.`
        : `There is no service ${service} in ${config.name}.`,
      live.length === 0 ? 'Begin with `calculaud deploy`.' : `There are ${live.join(', ')}.`,
      EXIT.refused,
    );
  }
  const tasks = await manager.api.tasks({ service: [`${prefix}${service}`] });
  const running = tasks.filter(
    (task) =>
      task.Status.State === 'running' &&
      task.DesiredState === 'running' &&
      (slot === undefined || task.Slot === slot),
  );
  const reachable = running.flatMap(({ Slot, NodeID, Status }): Target[] => {
    const container = Status.ContainerStatus?.ContainerID;
    const docker = cluster.engineOf(NodeID ?? '');
    return container && docker ? [{ instance: `${service}.${Slot ?? 1}`, container, docker }] : [];
  });
  const [first] = reachable.toSorted((one, other) =>
    one.instance.localeCompare(other.instance, 'en', { numeric: true }),
  );
  if (first) return first;
  const where = cluster.away.map(({ name, why }) => `Host ${name} cannot be used: ${why}`);
  throw new CliError(
    running.length === 0
      ? `No container of ${text} runs.`
      : [`The containers of ${text} are on hosts that cannot be asked from here.`, ...where].join('\n'),
    'Look at `calculaud status`.',
    EXIT.refused,
  );
}
