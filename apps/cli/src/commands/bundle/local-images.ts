import type { WantedImage } from '../../bundle/wanted-images.ts';
import type { Docker } from '../../host/docker.ts';
import type { Image } from '../../host/docker-answers.ts';
import { DockerCommandError } from '../../host/docker-command.ts';
import { pullImage } from '../../host/docker-images.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { inMegabytes } from '../../ui/progress.ts';
import type { Terminal } from '../../ui/terminal.ts';

/** The images that the Docker of this machine has, by their references. */
export type Images = ReadonlyMap<string, Image>;

export async function findImages(docker: Docker, wanted: readonly WantedImage[]): Promise<Images> {
  const found = new Map<string, Image>();
  for (const { reference } of wanted) {
    const image = await docker.api.image(reference);
    if (image) found.set(reference, image);
  }
  return found;
}

export function showImages(wanted: readonly WantedImage[], found: Images, terminal: Terminal): void {
  for (const { reference, name } of wanted) {
    const image = found.get(reference);
    const size = image ? inMegabytes(image.Size) : 'to be fetched';
    terminal.print(`+ ${reference}  ${size}${name === reference ? '' : `  as ${name}`}`);
  }
  terminal.print('+ migrations, manual, licence and changelog of that version, and the SBOM');
  terminal.emit('plan', {
    images: wanted.map(({ reference, name }) => {
      const image = found.get(reference);
      return { reference, name, id: image?.Id ?? null, size: image?.Size ?? null };
    }),
  });
}

export async function fetchMissing(
  docker: Docker,
  wanted: readonly WantedImage[],
  found: Images,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Images> {
  for (const { reference } of wanted.filter((one) => !found.has(one.reference))) {
    terminal.say(`Fetching ${reference} …`);
    try {
      await pullImage(docker, reference, signal);
    } catch (error) {
      if (!(error instanceof DockerCommandError)) throw error;
      throw new CliError(
        `${docker.name} has no image ${reference}, and cannot fetch it: ${error.lastLines.at(-1) ?? error.message}`,
        'Fetch or build it first, or name another Docker with --docker.',
        EXIT.refused,
        { cause: error },
      );
    }
  }
  return findImages(docker, wanted);
}

export function imageOf(images: Images, reference: string): Image {
  const image = images.get(reference);
  if (image) return image;
  throw new CliError(`The image ${reference} is gone.`, 'Try again.', EXIT.refused);
}

export function platformOf(images: Images): string {
  const platforms = new Set([...images.values()].map(({ Os, Architecture }) => `${Os}/${Architecture}`));
  const [platform = '', ...others] = platforms;
  if (others.length === 0) return platform;
  throw new CliError(
    `The images are for different platforms: ${[...platforms].join(', ')}.`,
    'Fetch all of them for one: docker pull --platform.',
    EXIT.refused,
  );
}

/** Two images cannot have one name where they are loaded. */
export function refuseAmbiguity(wanted: readonly WantedImage[]): void {
  const twice = wanted.find((one, index) => wanted.findIndex(({ name }) => name === one.name) < index);
  if (!twice) return;
  const references = wanted.filter(({ name }) => name === twice.name).map(({ reference }) => reference);
  throw new CliError(
    `Without their digests ${references.join(' and ')} are called the same: ${twice.name}.`,
    'Name all services of calculaud.yml that use it alike.',
    EXIT.refused,
  );
}
