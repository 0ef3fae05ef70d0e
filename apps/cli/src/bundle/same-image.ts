import type { EngineInfo, Image } from '../host/docker-answers.ts';
import type { BundleImage } from './manifest.ts';

/** What engines are asked to tell whether they have an image. */
type Kept = Pick<Image, 'Id' | 'RootFS'>;

/**
 * Whether an engine has this very image. Engines call images by the digest of their configuration, which settles it; those
 * that keep images in containerd call them by that of a list which they write themselves when they load one, so there the
 * layers have to do.
 */
export function isSameImage(
  { id, layers }: Pick<BundleImage, 'id' | 'layers'>,
  { Id, RootFS }: Kept,
  engine: Pick<EngineInfo, 'DriverStatus'>,
): boolean {
  if (Id === id) return true;
  if (!keepsInContainerd(engine)) return false;
  return (
    RootFS.Layers.length === layers.length &&
    layers.every((layer, index) => layer.id === RootFS.Layers[index])
  );
}

function keepsInContainerd({ DriverStatus }: Pick<EngineInfo, 'DriverStatus'>): boolean {
  return DriverStatus.some(([name, value]) => name === 'driver-type' && value?.startsWith('io.containerd.'));
}
