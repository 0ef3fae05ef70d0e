import { z } from 'zod';
import type { LedgerEntry } from '../../deployment/ledger.ts';

export const HEADINGS = ['N', 'ENDED', 'WHO', 'COMMAND', 'OUTCOME', 'TOOK', 'FAILED', 'P99', 'SWITCH'];

/** Of the figures that a deployment measures, those that fit a line. Older entries may know others. */
const figures = z
  .object({
    traffic: z
      .object({ sent: z.number(), failed: z.number(), added_p99_ms: z.number().nullish() })
      .optional(),
    switch: z.object({ switch_ms: z.number() }).optional(),
  })
  .catch({});

/** An entry as a line of the table. */
export function rowOf(entry: LedgerEntry): string[] {
  const { n, at, who, command, outcome, startedAt } = entry;
  const { traffic, switch: switched } = figures.parse(entry.figures);
  const added = traffic?.added_p99_ms;
  return [
    String(n),
    `${at.slice(0, 16)}Z`,
    who,
    shortened(command, 60),
    outcome,
    duration(Date.parse(at) - Date.parse(startedAt)),
    traffic ? `${traffic.failed} of ${traffic.sent}` : '-',
    typeof added === 'number' ? `${added < 0 ? '' : '+'}${Math.round(added)} ms` : '-',
    switched ? `${switched.switch_ms} ms` : '-',
  ];
}

/** As long as a person needs to know it. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 1) return `${Math.max(0, Math.round(ms))} ms`;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
