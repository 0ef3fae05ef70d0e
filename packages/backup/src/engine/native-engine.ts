import type { BackupManifest } from '../repository/manifest.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';
import type { BackupEngine, BackupSummary } from './backup-engine.ts';
import { restoreCluster } from './restore.ts';
import { recordVerification } from './verification-record.ts';
import { verifyBackup } from './verify.ts';

/** Our own backups in one repository. */
export function nativeEngine(repository: Repository): BackupEngine {
  return {
    name: 'native',
    address: repository.address,
    list: async () =>
      (await repository.listManifests()).map((manifest) =>
        'unreadable' in manifest ? manifest : summaryOf(manifest),
      ),
    verify: async ({ id }, options) => {
      const manifest = await repository.getManifest(id);
      if (manifest) return verifyBackup(repository, manifest, options);
      throw new BackupProblem('missing', `There is no backup ${id} in ${repository.address}.`, {
        object: `backups/${id}`,
      });
    },
    recordVerification: async (verification) => {
      await recordVerification(repository, verification);
    },
    restore: async ({ target, directory, signal, onPhase }) => {
      const { base, server, reached, lsn, lastCommit } = await restoreCluster({
        repository,
        target,
        directory,
        signal,
        onProgress: ({ phase, done }) => {
          if (done <= 1) onPhase?.(phase);
        },
      });
      return {
        backup: base.id,
        reached,
        lsn,
        lastCommit,
        connectionString: (database) => server.superuserConnectionString(database),
        stop: async () => server.stop(),
      };
    },
  };
}

function summaryOf(manifest: BackupManifest): BackupSummary {
  return {
    id: manifest.id,
    kind: manifest.kind,
    startedAt: manifest.startedAt,
    finishedAt: manifest.finishedAt,
    reason: manifest.reason,
    systemId: manifest.systemId,
    timeline: manifest.timeline,
    startLsn: manifest.startLsn,
    stopLsn: manifest.stopLsn,
    postgresVersion: manifest.postgresVersion,
    migration: manifest.migration,
    bytes: manifest.bytes,
  };
}
