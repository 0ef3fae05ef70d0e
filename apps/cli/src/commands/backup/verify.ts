import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withEngines } from '../../host/backups.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { inMegabytes, progressOf } from '../../ui/progress.ts';

const options = z.object({ kit: z.string().optional(), from: z.string().optional() });

export const run: Run = async ({ terminal, config, options: typed, arguments: [id] }) => {
  const { kit, from } = options.parse(typed);
  return withEngines(config(), terminal, { kit, from }, async (engines, { complete }) => {
    let [looked, faulty] = [0, 0];
    for (const { engine } of engines) {
      const all = await engine.list();
      const backup = id === undefined ? all[0] : all.find((one) => one.id === id);
      if (!backup) continue;
      looked += 1;
      if ('unreadable' in backup) {
        faulty += 1;
        terminal.say(`! ${engine.address}: ${backup.unreadable}`);
        terminal.emit('fault', {
          repository: engine.address,
          object: backup.id,
          words: backup.unreadable,
        });
        continue;
      }
      const onProgress = progressOf(terminal, backup.id, backup.bytes.total);
      const verification = await engine.verify(backup, {
        signal: new AbortController().signal,
        onProgress,
      });
      // With the kit alone nothing is changed, and this machine may not be the one that backs up.
      if (kit === undefined) await engine.recordVerification?.(verification);
      for (const { object, of, words } of verification.faults) {
        const hurt = of === object ? '' : ` (${of} needs it)`;
        terminal.say(`! ${engine.address}: ${object}: ${words}${hurt}`);
        terminal.emit('fault', { repository: engine.address, object, of, words });
      }
      const { faults, ...counts } = verification;
      terminal.emit('verified', { repository: engine.address, ...counts, faults: faults.length });
      if (faults.length > 0) faulty += 1;
      else {
        terminal.say(
          `${engine.address}: ${backup.id} is what it was: ${inMegabytes(counts.bytes)} of ${counts.files} files, ` +
            `${counts.segments} segments of the log, ${counts.attached} attached files, ${counts.exports} exports.`,
        );
      }
    }
    if (faulty > 0) return EXIT.findings;
    // Of one that could not be looked at nothing is known.
    if (!complete) return EXIT.unverified;
    if (looked > 0) return EXIT.done;
    throw new CliError(
      id === undefined ? 'There is no backup yet.' : `No repository has a backup ${id}.`,
      'Look at `calculaud backup list`.',
      EXIT.findings,
    );
  });
};
