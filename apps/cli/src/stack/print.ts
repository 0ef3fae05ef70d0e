import { stringify } from 'yaml';
import type { ComposeService } from './compose.ts';
import type { StackDocument } from './render.ts';

/**
 * The stack file as text. `docker stack deploy` would take a dollar for a variable of the shell, so it is doubled.
 * Configs are expected to exist, or to lie as files beside it.
 */
export function printStack(
  { name, file, configs }: StackDocument,
  { configsBeside = false }: { readonly configsBeside?: boolean } = {},
): string {
  const beside = Object.fromEntries(
    configs.map((config) => [config.key, { name: config.name, file: `./${config.name}` }]),
  );
  const document = {
    ...file,
    services: inOrder(file.services),
    ...(configsBeside && { configs: beside }),
  };
  return header(name) + stringify(escapeDollars(document), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Docker 20.10 wants the version and refuses a name; it cannot publish on one address only. */
function header(name: string): string {
  return `# dclint disable no-version-field require-project-name-field no-unbound-port-interfaces
# Written by \`calculaud render\`: docker stack deploy --prune --compose-file - ${name}
`;
}

/** What a reader looks for first comes first; the rest by name. */
const FIRST = [
  'image',
  'volumes',
  'configs',
  'secrets',
  'environment',
  'ports',
  'networks',
  'command',
  'entrypoint',
  'working_dir',
  'healthcheck',
  'logging',
  'user',
];

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function inOrder(services: Readonly<Record<string, ComposeService>>): Readonly<Record<string, unknown>> {
  const rank = (key: string): number => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length);
  return Object.fromEntries(
    Object.entries(services)
      .toSorted(byName)
      .map(([name, service]) => [
        name,
        Object.fromEntries(
          Object.entries(service).toSorted((a, b) => rank(a[0]) - rank(b[0]) || byName(a, b)),
        ),
      ]),
  );
}

function escapeDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(escapeDollars);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, escapeDollars(member)]));
}
