import type { EnvironmentConfig } from '../environment/schema.ts';

/**
 * Images of ours beside that of Calculaud itself. They have versions of their own, since a new one restarts what it is for;
 * an environment that names none takes them from where its Calculaud comes from.
 */
const VERSIONS = { gateway: '1', pooler: '1', storage: '1' } as const;

function beside(image: string, part: keyof typeof VERSIONS): string {
  const folder = /^(.*\/)?[^/]+$/.exec(image)?.[1] ?? '';
  return `${folder}calculaud-${part}:${VERSIONS[part]}`;
}

export function gatewayImage({ image, gateway }: EnvironmentConfig): string {
  return gateway.image ?? beside(image, 'gateway');
}

export function poolerImage({ image, database }: EnvironmentConfig): string {
  return (database.kind === 'bundled' ? database.pooler_image : undefined) ?? beside(image, 'pooler');
}

export function storageImage({ image, storage }: EnvironmentConfig): string {
  return (storage.kind === 'bundled-s3' ? storage.image : undefined) ?? beside(image, 'storage');
}
