import { stringify } from 'yaml';
import type { StackDocument } from './render.ts';

/** The stack file as text. `docker stack deploy` would take a dollar for a variable of the shell, so it is doubled. */
export function printStack({ name, file }: StackDocument): string {
  const text = stringify(escapeDollars(file), { lineWidth: 0, aliasDuplicateObjects: false });
  return `# Written by \`calculaud render\`. docker stack deploy --prune --compose-file <this file> ${name}\n${text}`;
}

function escapeDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(escapeDollars);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, escapeDollars(member)]));
}
