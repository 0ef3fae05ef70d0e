import { z } from 'zod';

/** What is known about one container: what Docker says, and what its own kernel view says. */
export interface ContainerFacts {
  readonly service: string;
  readonly inspected: z.output<typeof inspectedContainer>;
  /** /proc/1/status of the container. */
  readonly status: ReadonlyMap<string, string>;
  /** Programs that would run with the rights of their owner. */
  readonly setuid: readonly string[];
}

const names = z
  .array(z.string())
  .nullish()
  .transform((found) => found ?? []);

export async function factsOf(
  docker: (...args: readonly string[]) => Promise<string>,
  service: string,
  id: string,
): Promise<ContainerFacts> {
  const inspected: unknown = JSON.parse(await docker('inspect', id));
  const status = await docker('exec', id, 'cat', '/proc/self/status');
  const setuid = await docker('exec', id, 'sh', '-c', 'find / -xdev -type f -perm /6000 2>/dev/null || true');
  return {
    service,
    inspected: z.tuple([inspectedContainer]).parse(inspected)[0],
    status: new Map(
      status.split('\n').map((line) => {
        const [key = '', value = ''] = line.split(':\t');
        return [key, value];
      }),
    ),
    setuid: setuid.split('\n').filter(Boolean),
  };
}

/** The part of `docker inspect` that the rules look at. */
const inspectedContainer = z.object({
  Image: z.string(),
  Mounts: z.array(
    z.object({
      Type: z.string(),
      Source: z.string().default(''),
      Destination: z.string(),
      Propagation: z.string().optional(),
    }),
  ),
  Config: z.object({
    User: z.string(),
    Env: names,
    Healthcheck: z.object({ Test: names }).optional(),
  }),
  HostConfig: z.object({
    CapAdd: names,
    CapDrop: names,
    Privileged: z.boolean(),
    ReadonlyRootfs: z.boolean(),
    NetworkMode: z.string(),
    PidMode: z.string(),
    IpcMode: z.string(),
    UTSMode: z.string(),
    UsernsMode: z.string(),
    SecurityOpt: names,
    Devices: z.array(z.unknown()).nullish(),
    Memory: z.number(),
    NanoCpus: z.number(),
    PidsLimit: z.number().nullish(),
    CgroupParent: z.string(),
    LogConfig: z.object({ Config: z.record(z.string(), z.string()) }),
  }),
  NetworkSettings: z.object({
    Networks: z.record(z.string(), z.unknown()),
    Ports: z.record(z.string(), z.array(z.object({ HostPort: z.string() })).nullish()).nullish(),
  }),
});

/** One recommendation of the CIS Docker Benchmark (1.6), and who may break it for which reason. */
export interface Control {
  readonly id: string;
  readonly title: string;
  /** What is wrong with this container, if anything. */
  readonly violation: (facts: ContainerFacts) => string | undefined;
  /** Services that break it, each with the reason. One that no longer breaks it has to go from here. */
  readonly exceptions?: Readonly<Record<string, string>>;
}

/** Undefined when the fact is as wanted. */
function unless(fine: boolean, instead: unknown): string | undefined {
  return fine ? undefined : String(instead);
}

const SENSITIVE = ['/', '/boot', '/dev', '/etc', '/lib', '/proc', '/sys', '/usr', '/var/run', '/run'];

export const controls: readonly Control[] = [
  {
    id: '4.1',
    title: 'runs as a user of its own',
    violation: ({ inspected, status }) => {
      const uid = status.get('Uid')?.split('\t')[0];
      return unless(uid !== undefined && uid !== '0', `user ${inspected.Config.User}, uid ${uid}`);
    },
  },
  {
    id: '4.6, 5.26',
    title: 'has a health check',
    violation: ({ inspected: { Config } }) =>
      unless((Config.Healthcheck?.Test ?? ['NONE'])[0] !== 'NONE', 'none'),
  },
  {
    id: '4.8',
    title: 'has no setuid or setgid programs',
    violation: ({ setuid }) => unless(setuid.length === 0, setuid.join(' ')),
    exceptions: {
      database: 'the official image, taken as it is; with an empty bounding set they give nothing',
    },
  },
  {
    id: '4.10',
    title: 'has no secret in its environment',
    violation: ({ inspected: { Config } }) => {
      // Where a secret lies is none.
      const named = Config.Env.filter((pair) => !pair.includes('=/run/secrets/'));
      const names = named.map((pair) => pair.split('=')[0] ?? '');
      const telling = names.filter((name) => /PASSWORD|SECRET|TOKEN|_KEY/.test(name));
      return unless(telling.length === 0, telling.join(' '));
    },
  },
  {
    id: '5.3',
    title: 'has no capability, and can get none',
    violation: ({ inspected: { HostConfig }, status }) => {
      const dropped = HostConfig.CapDrop.includes('ALL') && HostConfig.CapAdd.length === 0;
      const empty = ['CapPrm', 'CapEff', 'CapBnd'].every((set) => /^0+$/.test(status.get(set) ?? ''));
      return unless(
        dropped && empty,
        `drops ${HostConfig.CapDrop.join(' ')}, CapBnd ${status.get('CapBnd')}`,
      );
    },
  },
  {
    id: '5.4',
    title: 'is not privileged',
    violation: ({ inspected: { HostConfig } }) => unless(!HostConfig.Privileged, 'privileged'),
  },
  {
    id: '5.5, 5.31',
    title: 'sees no folder of the host, and not its Docker',
    violation: ({ inspected: { Mounts } }) => {
      const binds = Mounts.filter(({ Type, Source, Destination }) => {
        const sensitive = Type === 'bind' && SENSITIVE.includes(Source);
        return sensitive || Source.endsWith('docker.sock') || Destination.endsWith('docker.sock');
      });
      return unless(binds.length === 0, binds.map(({ Source }) => Source).join(' '));
    },
  },
  {
    id: '5.8',
    title: 'publishes no port',
    violation: ({ inspected: { NetworkSettings } }) => {
      const published = Object.entries(NetworkSettings.Ports ?? {}).filter(([, ports]) => ports);
      return unless(published.length === 0, published.map(([port]) => port).join(' '));
    },
    exceptions: { gateway: 'http and https are what it is for' },
  },
  {
    id: '5.9, 5.15, 5.16, 5.20',
    title: 'shares no namespace with the host',
    violation: ({ inspected: { HostConfig } }) => {
      const { NetworkMode, PidMode, IpcMode, UTSMode, UsernsMode } = HostConfig;
      const modes = [NetworkMode, PidMode, IpcMode, UTSMode, UsernsMode];
      return unless(!modes.includes('host'), modes.join(' '));
    },
  },
  {
    id: '5.10',
    title: 'has a limit of memory',
    violation: ({ inspected: { HostConfig } }) => unless(HostConfig.Memory > 0, HostConfig.Memory),
  },
  {
    id: '5.11',
    title: 'has a limit of processor time',
    violation: ({ inspected: { HostConfig } }) => unless(HostConfig.NanoCpus > 0, HostConfig.NanoCpus),
  },
  {
    id: '5.12',
    title: 'cannot write to its image',
    violation: ({ inspected: { HostConfig } }) => unless(HostConfig.ReadonlyRootfs, 'writable'),
  },
  {
    id: '5.17',
    title: 'has no device of the host',
    violation: ({ inspected: { HostConfig } }) => unless((HostConfig.Devices ?? []).length === 0, 'devices'),
  },
  {
    id: '5.19',
    title: 'propagates no mount',
    violation: ({ inspected: { Mounts } }) => {
      const shared = Mounts.filter(({ Propagation = '' }) => Propagation.includes('shared'));
      return unless(shared.length === 0, shared.map(({ Destination }) => Destination).join(' '));
    },
  },
  {
    id: '5.21',
    title: 'is held by seccomp',
    violation: ({ inspected: { HostConfig }, status }) =>
      unless(
        !HostConfig.SecurityOpt.includes('seccomp=unconfined') && status.get('Seccomp') === '2',
        `Seccomp ${status.get('Seccomp')}`,
      ),
  },
  {
    id: '5.24',
    title: 'stays in the control group that Docker gives it',
    violation: ({ inspected: { HostConfig } }) =>
      unless(HostConfig.CgroupParent === '', HostConfig.CgroupParent),
  },
  {
    id: '5.25',
    title: 'gains nothing by running another program',
    // Swarm cannot ask for no-new-privileges. Without setuid programs, or without any capability to gain, it is the same.
    violation: ({ status, setuid }) => {
      const nothingToGain = setuid.length === 0 || /^0+$/.test(status.get('CapBnd') ?? '');
      return unless(status.get('NoNewPrivs') === '1' || nothingToGain, 'no-new-privileges is off');
    },
  },
  {
    id: '5.28',
    title: 'has a limit of processes',
    violation: ({ inspected: { HostConfig } }) =>
      unless((HostConfig.PidsLimit ?? 0) > 0, HostConfig.PidsLimit),
  },
  {
    id: '5.29',
    title: 'is not on the default bridge',
    violation: ({ inspected: { NetworkSettings } }) => {
      const networks = Object.keys(NetworkSettings.Networks);
      return unless(!networks.includes('bridge'), networks.join(' '));
    },
  },
  {
    id: '2.12',
    title: 'cannot fill the disk with its log',
    violation: ({ inspected: { HostConfig } }) => {
      const { 'max-size': size, 'max-file': files } = HostConfig.LogConfig.Config;
      return unless(size !== undefined && files !== undefined, `max-size ${size}, max-file ${files}`);
    },
  },
];

/** What breaks a rule without a reason, and reasons for what breaks none. */
export function findings(containers: readonly ContainerFacts[]): string[] {
  return controls.flatMap(({ id, title, violation, exceptions = {} }) =>
    containers.flatMap((facts) => {
      const found = violation(facts);
      const reason = exceptions[facts.service];
      if (found !== undefined && reason === undefined) return [`${id} ${facts.service} ${title}: ${found}`];
      if (found === undefined && reason !== undefined)
        return [`${id} ${facts.service} needs no exception: ${title}`];
      return [];
    }),
  );
}
