import { offlineName } from '../environment/offline.ts';
import type { EnvironmentConfig, Strategy } from '../environment/schema.ts';
import type { Cluster } from '../host/cluster.ts';
import { DockerCommandError } from '../host/docker-command.ts';
import { initialState, renderStack } from '../stack/render.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Terminal } from '../ui/terminal.ts';
import type { Plan } from './journal.ts';
import { migrationOutlook, observe } from './observe.ts';
import { planDeployment } from './plan.ts';
import type { DeploymentRecord } from './record.ts';
import { releaseOf } from './release-store.ts';
import { newPlanId } from './plan-id.ts';

interface Wish {
  readonly image?: string | undefined;
  readonly strategy?: Strategy | undefined;
}

/** Looks at everything that a deployment depends on and makes its plan; fetches the image, and changes nothing else. */
export async function prepare(
  cluster: Cluster,
  record: DeploymentRecord,
  { image: chosen, strategy }: Wish,
  { terminal, signal }: { readonly terminal: Terminal; readonly signal: AbortSignal },
): Promise<Plan | undefined> {
  const { config } = cluster;
  const image = chosen === undefined ? config.image : imageIn(config, chosen);
  const release = releaseOf(record);
  for (const needed of imagesOf(config, image)) await fetchImage(cluster, needed, terminal, signal);
  const observed = await observe(cluster, release, signal);
  const running = release[release.active];
  const outlook =
    running === null || running.replicas === 0 || running.image === image
      ? null
      : await migrationOutlook(cluster, release, image, signal);
  return planDeployment(
    {
      config,
      image,
      strategy: strategy ?? config.strategy.default,
      command: `deploy ${image}`,
      id: newPlanId(new Date()),
    },
    observed,
    outlook,
  );
}

/** A site without a network knows images by the names that its bundle gave them. */
function imageIn(config: EnvironmentConfig, image: string): string {
  return config.offline === undefined ? image : offlineName(image);
}

/** Everything that the stack runs; a missing one would show when it is too late. */
function imagesOf(config: EnvironmentConfig, image: string): ReadonlySet<string> {
  const { file } = renderStack(config, {
    ...initialState(config),
    blue: { image, replicas: 1 },
    worker: { image },
    migration: null,
  });
  return new Set([image, ...Object.values(file.services).map((service) => service.image)]);
}

/** Every host has the image before anything begins: nothing is fetched in the middle of a deployment. */
async function fetchImage(
  cluster: Cluster,
  image: string,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  for (const { name, command } of await cluster.withoutImage(image)) {
    terminal.say(`${name} fetches ${image} …`);
    try {
      await command.run(['pull', '--quiet', image], { signal });
    } catch (error) {
      if (!(error instanceof DockerCommandError)) throw error;
      throw new CliError(
        `${name} has no image ${image}, and cannot fetch it: ${error.lastLines.at(-1) ?? error.message}`,
        'Push it to the registry first, or load it: `calculaud bundle load`.',
        EXIT.refused,
        { cause: error },
      );
    }
  }
}
