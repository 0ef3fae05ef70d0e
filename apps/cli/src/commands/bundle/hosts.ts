import type { FoundHost } from '../../bundle/load-plan.ts';
import type { EnvironmentConfig } from '../../environment/schema.ts';
import { type Docker, openDocker } from '../../host/docker.ts';
import { parseDockerAddress } from '../../host/docker-address.ts';
import type { EngineInfo, Image } from '../../host/docker-answers.ts';
import { reach } from '../../host/reach.ts';

/** A host of the environment, whether or not its Docker is a swarm yet: images come before everything else. */
export interface Host {
  readonly name: string;
  readonly docker: Docker;
  readonly engine: EngineInfo;
}

export async function withHosts<T>(
  { hosts }: EnvironmentConfig,
  work: (hosts: readonly Host[]) => Promise<T>,
): Promise<T> {
  const opened: Host[] = [];
  try {
    for (const { name, docker: address } of hosts) {
      const docker = await openDocker(parseDockerAddress(address));
      try {
        opened.push({ name, docker, engine: await reach(docker) });
      } catch (error) {
        await docker.close();
        throw error;
      }
    }
    return await work(opened);
  } finally {
    await Promise.all(opened.map(({ docker }) => docker.close()));
  }
}

/** Looks which of some images are on a host. */
export async function look(
  { name, docker: { api }, engine }: Host,
  images: readonly string[],
): Promise<FoundHost> {
  const { Os, Arch } = await api.version();
  const found = new Map<string, Image>();
  for (const image of images) {
    const there = await api.image(image);
    if (there) found.set(image, there);
  }
  return { host: name, platform: `${Os}/${Arch}`, engine, images: found };
}
