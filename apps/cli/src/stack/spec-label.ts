import { createHash } from 'node:crypto';
import type { ComposeService } from './compose.ts';
import type { StackDocument } from './render.ts';

/** On every container: which description of its service it was made from. */
export const SPEC_LABEL = 'calculaud.spec';

/**
 * The stack with a hash of each service's description on its containers, so that it can be told from the live system
 * alone whether a container is of today's description. How many there are does not count: scaling restarts nobody.
 */
export function labelled(document: StackDocument): StackDocument {
  const { services } = document.file;
  return {
    ...document,
    file: {
      ...document.file,
      services: Object.fromEntries(
        Object.entries(services).map(([name, service]) => [
          name,
          { ...service, labels: { [SPEC_LABEL]: specHash(service, document) } },
        ]),
      ),
    },
  };
}

export function specHash(service: ComposeService, { file }: StackDocument): string {
  const { deploy, labels: _label, ...container } = service;
  const { replicas: _, ...deployment } = deploy;
  // The file calls configs and secrets by short names; what matters is the object behind each.
  const objects = [
    ...(service.configs ?? []).map(({ source }) => file.configs[source]?.name),
    ...(service.secrets ?? []).map(({ source }) => file.secrets[source]?.name),
  ];
  return createHash('sha256')
    .update(JSON.stringify({ container, deployment, objects }))
    .digest('hex')
    .slice(0, 12);
}
