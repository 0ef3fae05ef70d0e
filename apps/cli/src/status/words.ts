/** An instant to the second, in UTC. */
export function inWords(instant: string): string {
  return `${new Date(instant).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Bytes, as disks are sold. */
export function amount(bytes: number): string {
  const gigabytes = bytes / 1_000_000_000;
  return `${gigabytes < 10 ? gigabytes.toFixed(1) : Math.round(gigabytes)} GB`;
}

/** An image without what only a machine compares: the digest is cut to what people recognise. */
export function shortImage(image: string): string {
  return image.replace(/@sha256:([0-9a-f]{12})[0-9a-f]+$/, '@sha256:$1…');
}
