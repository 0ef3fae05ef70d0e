import { recordVerification } from '@calculaud/backup/engine/verification-record';
import { verifyBackup } from '@calculaud/backup/engine/verify';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withRepositories } from '../../host/backups.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { inMegabytes, progressOf } from '../../ui/progress.ts';

const options = z.object({ kit: z.string().optional(), from: z.string().optional() });

export const run: Run = async ({ terminal, config, options: typed, arguments: [id] }) => {
  const { kit, from } = options.parse(typed);
  return withRepositories(config(), terminal, { kit, from }, async (repositories, { complete }) => {
    let [looked, faulty] = [0, 0];
    for (const repository of repositories) {
      const all = await repository.listManifests();
      const manifest = id === undefined ? all[0] : all.find((one) => one.id === id);
      if (!manifest) continue;
      looked += 1;
      if ('unreadable' in manifest) {
        faulty += 1;
        terminal.say(`! ${repository.address}: ${manifest.unreadable}`);
        terminal.emit('fault', {
          repository: repository.address,
          object: manifest.id,
          words: manifest.unreadable,
        });
        continue;
      }
      const onProgress = progressOf(terminal, manifest.id, manifest.bytes.total);
      const verification = await verifyBackup(repository, manifest, {
        signal: new AbortController().signal,
        onProgress,
      });
      // With the kit alone nothing is changed, and this machine may not be the one that backs up.
      if (kit === undefined) await recordVerification(repository, verification);
      for (const { object, of, words } of verification.faults) {
        const hurt = of === object ? '' : ` (${of} needs it)`;
        terminal.say(`! ${repository.address}: ${object}: ${words}${hurt}`);
        terminal.emit('fault', { repository: repository.address, object, of, words });
      }
      const { faults, ...counts } = verification;
      terminal.emit('verified', { repository: repository.address, ...counts, faults: faults.length });
      if (faults.length > 0) faulty += 1;
      else {
        terminal.say(
          `${repository.address}: ${manifest.id} is what it was: ${inMegabytes(counts.bytes)} of ${counts.files} files, ` +
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
