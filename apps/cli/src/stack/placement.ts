import type { EnvironmentConfig, HostRole } from '../environment/schema.ts';
import type { ComposeDeploy } from './compose.ts';

/**
 * On which hosts a service may run, said by their names, so that no node needs a label. What keeps something stays on the
 * one host that has its role; everything else stays away from the hosts that do not have it.
 */
export function placement(
  { hosts }: EnvironmentConfig,
  role: HostRole,
): { readonly placement?: ComposeDeploy['placement'] & object } {
  if (hosts.length === 1) return {};
  const [able, unable] = [
    hosts.filter(({ roles }) => roles.includes(role)),
    hosts.filter(({ roles }) => !roles.includes(role)),
  ];
  const only = role === 'app' ? undefined : able[0];
  const constraints = only
    ? [`node.hostname == ${only.name}`]
    : unable.map(({ name }) => `node.hostname != ${name}`);
  return constraints.length === 0 ? {} : { placement: { constraints } };
}
