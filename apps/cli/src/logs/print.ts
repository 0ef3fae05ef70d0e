import type { Terminal } from '../ui/terminal.ts';
import type { ShownLine } from './read.ts';

const PAINTS = ['cyan', 'yellow', 'green', 'magenta', 'blue'] as const;

/** Prints lines with where they come from: for people with a colour for each service, for programs as events. */
export function linePrinter(
  terminal: Terminal,
  { hosts }: { readonly hosts: number },
): (line: ShownLine) => void {
  const paints = new Map<string, (typeof PAINTS)[number]>();
  let width = 0;
  return ({ text, ...line }) => {
    terminal.emit('log', { ...line, line: text });
    const { service, instance, host } = line;
    const paint = paints.get(service) ?? PAINTS[paints.size % PAINTS.length] ?? 'cyan';
    paints.set(service, paint);
    const from = hosts > 1 ? `${instance}@${host}` : instance;
    width = Math.max(width, from.length);
    terminal.print(`${terminal.paint[paint](`${from.padEnd(width)} |`)} ${harmless(text)}`);
  };
}

/** Characters that could steer the terminal are shown as �. */
function harmless(text: string): string {
  return text.replaceAll(/(?!\t)\p{Cc}/gu, '�');
}
