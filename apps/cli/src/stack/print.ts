import { stringify } from 'yaml';
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
  const text = stringify(escapeDollars(configsBeside ? { ...file, configs: beside } : file), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
  return `# Written by \`calculaud render\`: docker stack deploy --prune --compose-file - ${name}\n${text}`;
}

function escapeDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(escapeDollars);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, escapeDollars(member)]));
}
