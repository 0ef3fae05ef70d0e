import type { Image } from '../host/docker-answers.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Manifest } from './manifest.ts';

/** What the image of the product says of itself in its labels. */
export function productOf(name: string, { Config }: Pick<Image, 'Config'>): Manifest['product'] {
  const label = (key: string): string | undefined =>
    Config.Labels[`org.opencontainers.image.${key}`] || undefined;
  const version = label('version');
  if (label('title') !== 'Calculaud' || version === undefined) {
    throw new CliError(
      `${name} is no image of Calculaud: its labels do not say so.`,
      'Look at `image` in calculaud.yml.',
      EXIT.refused,
    );
  }
  return { version, commit: label('revision') ?? null, image: name };
}

/** Where things lie in the image of the product, and in the bundle. */
export const PRODUCT_FILES = {
  licence: '/app/LICENSE',
  changelog: '/app/CHANGELOG.md',
  docs: '/app/docs/operations',
  migrations: '/app/packages/db/migrations',
} as const;
