import { fileURLToPath } from 'node:url';

/** The ways in which a version can be broken (fault.mjs). */
export const faultKinds = ['never-ready', 'errors', 'slow', 'leak', 'broken-route'] as const;
export type FaultKind = (typeof faultKinds)[number];

const preload = fileURLToPath(new URL('fault.mjs', import.meta.url));

/** What makes a process of the product on this machine such a version. */
export function faultyEnvironment(kind: FaultKind): Record<string, string> {
  return { NODE_OPTIONS: `--import=${preload}`, FAULT: kind };
}
