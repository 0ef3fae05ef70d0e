import type { EnvironmentConfig } from '../environment/schema.ts';
import type { ComposeMount } from './compose.ts';
import { bounded } from './container.ts';
import { fullNetworkName, fullSecretName, jobLabel, NETWORKS, SECRETS, stackName } from './names.ts';
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
  const stack = stackName(config);
  const service = job(config, image, command);
  const { limits } = bounded(config, 'worker');
  const options: (readonly [option: string, value: string])[] = [
    ['--name', `${stack}-${name}`],
    ['--label', jobLabel(config)],
    ['--mode', 'replicated-job'],
    ['--restart-condition', 'none'],
    ['--user', service.user],
    ['--cap-drop', 'ALL'],
    ['--limit-cpu', limits.cpus],
    ['--limit-memory', limits.memory],
    ['--limit-pids', String(limits.pids)],
    ['--log-driver', service.logging.driver],
  ];
  const add = (option: string, values: readonly string[]): void => {
    for (const value of values) options.push([option, value]);
  };
  add('--log-opt', pairs(service.logging.options));
  add(
    '--network',
    [NETWORKS.data, NETWORKS.outside].map((network) => fullNetworkName(config, network)),
  );
  add(
    '--secret',
    SECRETS.flatMap((secret) => {
      const file = service.secrets?.find(({ source }) => source === secret);
      const source = fullSecretName(config, secret, state.secrets);
      return file ? [`source=${source},target=${file.target},uid=${file.uid},gid=${file.gid},mode=0400`] : [];
    }),
  );
  add(
    '--mount',
    service.volumes.map((mount) => mountOption(mount, stack)),
  );
  add('--env', pairs(service.environment ?? {}));
  add('--constraint', placement(config, 'app').placement?.constraints ?? []);
  add('--workdir', service.working_dir === undefined ? [] : [service.working_dir]);
  add('--entrypoint', service.entrypoint === undefined ? [] : [service.entrypoint.join(' ')]);
  const switches = ['--detach', '--quiet', '--no-resolve-image', '--read-only', '--no-healthcheck'];
  return ['service', 'create', ...switches, ...options.flat(), image, ...(service.command ?? [])];
}

function pairs(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([key, value]) => `${key}=${value}`);
}

function mountOption(mount: ComposeMount, stack: string): string {
  if (mount.type === 'tmpfs') {
    return `type=tmpfs,destination=${mount.target},tmpfs-size=${mount.tmpfs.size}`;
  }
  return mount.type === 'volume'
    ? `type=volume,source=${stack}_${mount.source},destination=${mount.target}`
    : `type=bind,source=${mount.source},destination=${mount.target},readonly`;
}
