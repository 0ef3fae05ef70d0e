import { type DockerAddress, showDockerAddress } from './docker-address.ts';
import { type DockerApi, dockerApi } from './docker-api.ts';
import { type DockerCommand, dockerCommand } from './docker-command.ts';
import { dockerTransport } from './docker-transport.ts';
import { forwardBySsh } from './ssh-forward.ts';

/** An engine, by its API and by the docker client. */
export interface Docker {
  readonly name: string;
  readonly api: DockerApi;
  readonly command: DockerCommand;
  readonly close: () => Promise<void>;
}

/** Nothing is asked of the engine yet; the first request tells whether it can be reached. */
export async function openDocker(address: DockerAddress): Promise<Docker> {
  const name = showDockerAddress(address);
  if (address.kind === 'ssh') {
    const { socketPath, complaint, close } = await forwardBySsh(address);
    const transport = dockerTransport({ name, listensAt: { socketPath }, complaint });
    return {
      name,
      api: dockerApi(transport),
      command: dockerCommand(`unix://${socketPath}`),
      close: async () => {
        transport.close();
        await close();
      },
    };
  }
  const listensAt =
    address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const transport = dockerTransport({ name, listensAt });
  return {
    name,
    api: dockerApi(transport),
    command: dockerCommand(name),
    close: async () => {
      transport.close();
    },
  };
}
