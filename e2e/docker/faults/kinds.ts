import { fileURLToPath } from 'node:url';

/** The ways in which a version can be broken (fault.mjs) that the gates see before any user meets it. */
export const faultKinds = ['never-ready', 'errors', 'slow', 'leak', 'broken-route'] as const;
/** Those that they cannot see. */
export const hiddenFaultKinds = ['errors-to-users', 'no-drain'] as const;
export type GatedFaultKind = (typeof faultKinds)[number];
export type FaultKind = GatedFaultKind | (typeof hiddenFaultKinds)[number];

const preload = fileURLToPath(new URL('fault.mjs', import.meta.url));

/** What makes a process of the product on this machine such a version. */
export function faultyEnvironment(kind: FaultKind): Record<string, string> {
  return { NODE_OPTIONS: `--import=${preload}`, FAULT: kind };
}
