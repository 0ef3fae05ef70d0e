import { prunable } from '@calculaud/backup/retention/prunable';
import { applyPrune, planPrune, type PrunePlan } from '@calculaud/backup/retention/prune';
import { userInfo } from 'node:os';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withRepositories } from '../../host/backups.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { inMegabytes } from '../../ui/progress.ts';
import { table } from '../../ui/table.ts';
import type { Terminal } from '../../ui/terminal.ts';

const options = z.object({
  from: z.string().optional(),
  dryRun: z.boolean().default(false),
  yes: z.boolean().default(false),
});

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { from, dryRun, yes } = options.parse(typed);
  const settings = config();
  return withRepositories(settings, terminal, { from }, async (repositories, { complete }) => {
    let [blocked, planned] = [0, 0];
    for (const repository of repositories.map(prunable)) {
      const plan = await planPrune(repository, settings.backup.retention, { now: new Date() });
      terminal.emit('plan', { ...plan });
      describe(terminal, plan);
      if (plan.blocked.length > 0) blocked += 1;
      if (plan.blocked.length > 0 || !doesSomething(plan)) continue;
      planned += 1;
      if (dryRun) continue;
      await confirm(terminal, `Remove this from ${plan.address}?`, yes);
      const who = `calculaud backup prune (${userInfo().username})`;
      const outcome = await applyPrune(repository, plan, { now: new Date(), who });
      terminal.emit('pruned', { repository: plan.address, ...outcome });
      const { backups, exports, segments, chunks, bytes } = outcome.removed;
      terminal.say(
        `${plan.address}: removed ${backups.length} backups, ${exports.length} exports, ${segments} segments of the log ` +
          `and ${chunks} chunks, ${inMegabytes(bytes)}; marked ${outcome.marked} objects, which go in 72 hours.`,
      );
    }
    if (blocked > 0 || (dryRun && planned > 0)) return EXIT.findings;
    return complete ? EXIT.done : EXIT.unverified;
  });
};

function doesSomething({ backups, exports, segments, chunks }: PrunePlan): boolean {
  return (
    [...backups, ...exports].some(({ fate }) => fate !== 'keep') ||
    [segments, chunks].some(({ mark, wait, remove }) => mark.count + wait.count + remove.count > 0)
  );
}

function describe(terminal: Terminal, plan: PrunePlan): void {
  terminal.print(plan.address);
  for (const words of plan.blocked) terminal.print(`  ! Nothing is removed: ${words}`);
  const rows = plan.backups.map(({ id, finishedAt, verified, fate, reasons, removedAfter }) => [
    `  ${fate}`,
    id,
    `${finishedAt.slice(0, 16)}Z`,
    verified ? 'verified' : '',
    [...reasons, ...(removedAfter === null ? [] : [`Goes after ${removedAfter.slice(0, 16)}Z.`])].join(' '),
  ]);
  if (rows.length > 0) terminal.print(table(rows));
  const { now, later } = plan.bytes;
  terminal.print(
    `  ${inMegabytes(now)} are removed now, ${inMegabytes(later)} when they have waited for 72 hours.`,
  );
}
