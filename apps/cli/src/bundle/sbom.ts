import { z } from 'zod';
import type { Manifest } from './manifest.ts';

const cycloneDx = z.object({
  bomFormat: z.literal('CycloneDX'),
  metadata: z.object({
    component: z.object({ name: z.string(), version: z.string().optional(), purl: z.string().optional() }),
  }),
});

/** What a list of parts is about. */
export interface Subject {
  readonly name: string;
  readonly version: string | undefined;
  readonly commit: string | undefined;
}

/** Reads whose parts a CycloneDX document lists; undefined where it is none. */
export function subjectOf(text: string): Subject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = cycloneDx.safeParse(value);
  if (!parsed.success) return undefined;
  const { name, version, purl } = parsed.data.metadata.component;
  return { name, version, commit: /[?&]vcs_revision=([^&#]+)/.exec(purl ?? '')?.[1] };
}

/** What the list of the product's own parts is about. */
export const PRODUCT = 'calculaud';

/** A list of the parts of another build would be worse than none. */
export function isOfBuild({ version, commit }: Subject, product: Manifest['product']): boolean {
  if (version !== product.version) return false;
  return commit === undefined || product.commit === null || commit === product.commit;
}
