import { offlineName } from '../environment/offline.ts';
import type { EnvironmentConfig } from '../environment/schema.ts';
import { initialState, renderStack } from '../stack/render.ts';

/** An image that an environment cannot do without. */
export interface WantedImage {
  /** As calculaud.yml calls it. */
  readonly reference: string;
  /** As it is called where it was loaded. */
  readonly name: string;
}

/** Whatever services of its stack are made of; the product first. */
export function wantedImages(config: EnvironmentConfig): readonly WantedImage[] {
  const services = Object.values(renderStack(config, initialState(config)).file.services);
  const references = new Set([config.image, ...services.map(({ image }) => image).toSorted()]);
  return [...references].map((reference) => ({ reference, name: offlineName(reference) }));
}
