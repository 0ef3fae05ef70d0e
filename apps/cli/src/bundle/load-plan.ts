import type { EngineInfo, Image } from '../host/docker-answers.ts';
import type { BundleImage, Manifest } from './manifest.ts';
import { isSameImage } from './same-image.ts';
import type { WantedImage } from './wanted-images.ts';

/** What was found on a host. */
export interface FoundHost {
  readonly host: string;
  /** Such as linux/amd64. */
  readonly platform: string;
  readonly engine: Pick<EngineInfo, 'DriverStatus'>;
  /** By their names; those that are not there are missing. */
  readonly images: ReadonlyMap<string, Pick<Image, 'Id' | 'RootFS'>>;
}

export interface ImageStep {
  readonly image: BundleImage;
  /** `replace`: another image has this name now, and gives it up. */
  readonly change: 'none' | 'add' | 'replace';
}

export interface LoadPlan {
  readonly hosts: readonly { readonly host: string; readonly steps: readonly ImageStep[] }[];
  /** Why it cannot be carried out. */
  readonly problems: readonly string[];
}

/** What it takes until every host has every image that the environment wants. */
export function planLoad(
  manifest: Manifest,
  wanted: readonly WantedImage[],
  hosts: readonly FoundHost[],
): LoadPlan {
  const carried = new Map(manifest.images.map((image) => [image.name, image]));
  const problems: string[] = [];
  for (const { host, platform } of hosts) {
    if (platform !== manifest.platform) {
      problems.push(`Host ${host} is ${platform}, but the images are for ${manifest.platform}.`);
    }
  }
  for (const { name, reference } of wanted) {
    const lacking = hosts.filter(({ images }) => !images.has(name)).map(({ host }) => host);
    if (!carried.has(name) && lacking.length > 0) {
      const written = name === reference ? '' : ` (${reference} in calculaud.yml)`;
      problems.push(`The bundle lacks ${name}${written}, and so does ${lacking.join(', ')}.`);
    }
  }
  const needed = wanted.flatMap(({ name }) => carried.get(name) ?? []);
  return {
    problems,
    hosts: hosts.map(({ host, engine, images }) => ({
      host,
      steps: needed.map((image): ImageStep => {
        const found = images.get(image.name);
        if (!found) return { image, change: 'add' };
        return { image, change: isSameImage(image, found, engine) ? 'none' : 'replace' };
      }),
    })),
  };
}
