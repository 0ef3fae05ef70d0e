import type { EnvironmentConfig } from '../environment/schema.ts';
import { bounded } from './container.ts';
import { fullNetworkName, fullSecretName, NETWORKS, SECRETS, stackName } from './names.ts';
import { placement } from './placement.ts';
import type { ReleaseState } from './release-state.ts';
import { job } from './services/application.ts';

export interface Job {
  /** Of the service, behind the name of the stack; of its own for every run. */
  readonly name: string;
  readonly image: string;
  /** Behind the entrypoint of the image, such as `calculaud db migrate`. */
  readonly command: readonly string[];
}

/**
 * The arguments of `docker` for a container that works on the database as the owner of its tables and ends: a Swarm job,
 * since only services can have secrets. It does not belong to the stack, so that a deployment does not remove it.
 */
export function renderJob(
  config: EnvironmentConfig,
  state: ReleaseState,
  { name, image, command }: Job,
): string[] {
  const service = job(config, image, command);
  const { limits } = bounded(config, 'worker');
  const secrets = SECRETS.flatMap((secret) => {
    const file = service.secrets?.find(({ source }) => source === secret);
    if (!file) return [];
    const source = fullSecretName(config, secret, state.secrets);
    return ['--secret', `source=${source},target=${file.target},uid=${file.uid},gid=${file.gid},mode=0400`];
  });
  const mounts = service.volumes.flatMap((mount) => {
    switch (mount.type) {
      case 'tmpfs':
        return ['--mount', `type=tmpfs,destination=${mount.target},tmpfs-size=${mount.tmpfs.size}`];
      case 'volume':
        return [
          '--mount',
          `type=volume,source=${stackName(config)}_${mount.source},destination=${mount.target}`,
        ];
      case 'bind':
        return ['--mount', `type=bind,source=${mount.source},destination=${mount.target},readonly`];
    }
  });
  const { constraints = [] } = placement(config, 'app').placement ?? {};
  return [
    ...['service', 'create', '--detach', '--quiet', '--no-resolve-image'],
    ...['--name', `${stackName(config)}-${name}`, '--label', `calculaud.job=${stackName(config)}`],
    ...['--mode', 'replicated-job', '--restart-condition', 'none'],
    ...[NETWORKS.data, NETWORKS.outside].flatMap((network) => [
      '--network',
      fullNetworkName(config, network),
    ]),
    ...secrets,
    ...mounts,
    ...Object.entries(service.environment ?? {}).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    ...['--user', service.user, '--read-only', '--cap-drop', 'ALL', '--no-healthcheck'],
    ...['--limit-cpu', limits.cpus, '--limit-memory', limits.memory, '--limit-pids', String(limits.pids)],
    ...['--log-driver', service.logging.driver],
    ...Object.entries(service.logging.options).flatMap(([key, value]) => ['--log-opt', `${key}=${value}`]),
    ...constraints.flatMap((constraint) => ['--constraint', constraint]),
    ...(service.working_dir === undefined ? [] : ['--workdir', service.working_dir]),
    ...(service.entrypoint === undefined ? [] : ['--entrypoint', service.entrypoint.join(' ')]),
    image,
    ...(service.command ?? []),
  ];
}
