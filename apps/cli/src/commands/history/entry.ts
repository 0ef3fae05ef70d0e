import type { StepMark } from '../../deployment/journal.ts';
import type { LedgerEntry } from '../../deployment/ledger.ts';
import { table } from '../../ui/table.ts';
import { duration } from './row.ts';

/** All that is known of an entry. */
export function describeEntry(entry: LedgerEntry): string {
  const { n, who, command, outcome, startedAt, at, token, note, plan, steps, figures, hash, previous } =
    entry;
  const about = table([
    ['Entry', String(n)],
    ['Command', command],
    ['By', `${who} (lease ${token})`],
    ['Begun', startedAt],
    ['Ended', `${at}, after ${duration(Date.parse(at) - Date.parse(startedAt))}`],
    ['Outcome', outcome],
    ['Hash', hash],
    ['Follows', previous],
  ]);
  const titles = new Map(plan?.steps.map(({ id, title }) => [id, title]));
  const parts = [
    about,
    note === null ? '' : `Reason:\n${indented(note)}`,
    plan === null ? '' : `Plan ${plan.id}:\n${indented(plan.summary.join('\n'))}`,
    steps.length === 0
      ? ''
      : `Steps:\n${indented(table(steps.map((step) => [step.state, tookOf(step), titles.get(step.id) ?? step.id])))}`,
    figures === null ? '' : `Figures:\n${indented(JSON.stringify(figures, null, 2))}`,
  ];
  return parts.filter(Boolean).join('\n\n');
}

function tookOf({ begunAt, endedAt, attempts }: StepMark): string {
  if (begunAt === null || endedAt === null) return '';
  const took = duration(Date.parse(endedAt) - Date.parse(begunAt));
  return attempts > 1 ? `${took}, ${attempts} attempts` : took;
}

/** What came from logs may hold characters that steer a terminal. */
function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line.replaceAll(/\p{Cc}/gu, '�')}`)
    .join('\n');
}
