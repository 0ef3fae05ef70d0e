import type { EnvironmentConfig } from './schema.ts';

/**
 * What an image is called where it was loaded from a file. An engine knows a digest only of what it pulled, so there a name
 * with a digest finds nothing: `repo:tag@sha256:…` is `repo:tag` there, and an image without a tag gets one of its digest.
 */
export function offlineName(reference: string): string {
  const [name = reference, digest] = reference.split('@sha256:');
  if (digest === undefined) return reference;
  const tagged = name.slice(name.lastIndexOf('/') + 1).includes(':');
  return tagged ? name : `${name}:sha256-${digest.slice(0, 12)}`;
}

/** A configuration whose images are called as they are where they came from a bundle. */
export function withOfflineNames(config: EnvironmentConfig): EnvironmentConfig {
  const { image, gateway, database, storage, clamav } = config;
  return {
    ...config,
    image: offlineName(image),
    gateway: { ...gateway, image: offlineNameOf(gateway.image) },
    database:
      database.kind === 'bundled'
        ? {
            ...database,
            image: offlineName(database.image),
            pooler_image: offlineNameOf(database.pooler_image),
          }
        : database,
    storage: storage.kind === 'bundled-s3' ? { ...storage, image: offlineNameOf(storage.image) } : storage,
    ...(clamav && { clamav: { ...clamav, image: offlineName(clamav.image) } }),
  };
}

/** One that is left out follows from the others. */
function offlineNameOf(reference: string | undefined): string | undefined {
  return reference === undefined ? undefined : offlineName(reference);
}
