import { readStatus } from '@calculaud/backup/service/status';
import type { Config } from '@calculaud/config/config';
import { tryApplication } from '@calculaud/server/drill/service';
import { type DrillResult, runDrill } from '@calculaud/backup/drill/drill';
import { parseTarget } from '@calculaud/backup/engine/target';
import type { OpenedRepository } from '@calculaud/backup/repository/open-repository';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withRepositories } from '../../host/backups.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { table } from '../../ui/table.ts';
import type { Terminal } from '../../ui/terminal.ts';

const options = z.object({
  to: z.string().optional(),
  from: z.string().optional(),
  kit: z.string().optional(),
  history: z.boolean().default(false),
});

const EXITS: Readonly<Record<DrillResult['verdict'], number>> = {
  passed: EXIT.done,
  failed: EXIT.findings,
  'could-not-verify': EXIT.unverified,
};

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { to, from, kit, history } = options.parse(typed);
  const target = to === undefined ? ({ kind: 'noted' } as const) : parseTarget(to);
  const settings = config();
  // The last one: what is on this machine, too, would hide that the other one is of no use.
  const last = from ?? settings.backup.repositories.at(-1);
  return withRepositories(settings, terminal, { kit, from: last }, async ([repository]) => {
    if (history) return showHistory(terminal, repository);
    const directory = mkdtempSync(join(tmpdir(), 'calculaud-drill-'));
    try {
      const result = await runDrill({
        repository,
        target,
        directory: join(directory, 'data'),
        application: async (url) => tryApplication(settings, url),
        logComplete: await logCompleteIn(settings, repository.address),
        appVersion: settings.app.version,
        signal: new AbortController().signal,
        onProgress: (words) => terminal.say(`  ${words}`),
      });
      terminal.emit('drill', { ...result });
      for (const { check, faults } of result.checks) {
        for (const fault of faults) terminal.say(`! ${check}: ${fault}`);
      }
      if (result.problem !== null) terminal.say(`! ${result.problem}`);
      const { files, log, recovery, application, checks } = result.phases;
      terminal.print(
        table([
          ['Drill', `${result.id}: ${result.verdict}`],
          ['Repository', result.repository],
          ['Backup', result.backup ?? 'none'],
          ['Reached', result.reached ?? 'nothing'],
          ['Last commit', result.lastCommit ?? 'none after the backup'],
          ['Answers after', result.rtoSeconds === null ? 'never' : `${result.rtoSeconds} s`],
          [
            'Of these',
            `files ${files} s, log ${log} s, recovery ${recovery} s, application ${application} s; checks took ${checks} s`,
          ],
          ['Would be lost', result.rpoSeconds === null ? 'not known here' : `${result.rpoSeconds} s`],
        ]),
      );
      return EXITS[result.verdict];
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
};

/** What the service on this machine knows; elsewhere nobody does. */
async function logCompleteIn({ backup }: Config, address: string): Promise<Date | undefined> {
  const status = await readStatus(backup.workFolder);
  return status?.repositories.find((each) => each.address === address)?.logComplete;
}

const kept = z.object({ at: z.string(), verdict: z.string(), rtoSeconds: z.number().nullable() });

async function showHistory(terminal: Terminal, repository: OpenedRepository): Promise<number> {
  const records = await repository.listRecords('drills');
  const rows = records.toReversed().map(({ name, record }) => {
    const { at, verdict, rtoSeconds } = kept.parse(record);
    terminal.emit('drill', { id: name, at, verdict, rtoSeconds });
    return [name, `${at.slice(0, 16)}Z`, verdict, rtoSeconds === null ? '-' : `${rtoSeconds} s`];
  });
  terminal.print(
    rows.length === 0 ? 'No drill yet.' : table([['ID', 'WHEN', 'VERDICT', 'ANSWERS AFTER'], ...rows]),
  );
  return EXIT.done;
}
