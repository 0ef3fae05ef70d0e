/** What an operation may require. `<feature>.read` shows, `<feature>.write` changes. */
export const permissions = [
  'suppliers.read',
  'suppliers.write',
  'service-types.read',
  'service-types.write',
  'services.read',
  'services.write',
  'budget-sources.read',
  'budget-sources.write',
  'responsible-authorities.read',
  'responsible-authorities.write',
  'stage-types.read',
  'stage-types.write',
  'hierarchies.read',
  'hierarchies.write',
  'predefined-flows.read',
  'predefined-flows.write',
  'flow-rules.read',
  'flow-rules.write',
  'currencies.read',
  'currencies.write',
  'purposes.read',
  'purposes.write',
  'purchases.read',
  'purchases.write',
  'stages.read',
  'stages.write',
  'files.read',
  'files.write',
  'analytics.read',
] as const;

export type Permission = (typeof permissions)[number];

/** The two roles of v1: `user` reads everything, `admin` does everything. */
export type Role = 'user' | 'admin';

export function permits(role: Role, permission: Permission): boolean {
  return role === 'admin' || permission.endsWith('.read');
}
