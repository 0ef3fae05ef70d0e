import { newKeyRing } from '../keyring.ts';
import { createRepository, SEGMENT_BYTES } from '../open-repository.ts';
import { makeRecoveryKit } from '../recovery-kit.ts';
import type { BackupStore } from '../store.ts';
import { newAgeKeyPair, wrapKeys } from '../wrapped-keys.ts';
import { partsOf, preparedBackup } from './content.ts';

/**
 * What the golden repositories hold. `golden/format-1.tar.gz` is such a folder as version 2.0.0 wrote it, packed by tar, and
 * `format-1.kit.txt` the page that belongs to it: they are never made again. A new format gets a pair of its own.
 */
const SYSTEM = '7300000000000000001';
const ID = '20261201T060000Z-0123abcd';
const CONTENTS = [
  Buffer.from('eighteen\n'),
  Buffer.alloc(0),
  Buffer.from('A line that the organisation entered.\n'.repeat(40_000)),
];
const WHOLE = '000000010000000000000002';
const PARTIAL = '000000010000000000000003';
const LOG = Buffer.alloc(SEGMENT_BYTES, 'log');
const HISTORY = Buffer.from('1\t0/3000000\tno recovery target specified\n');
const GAP = {
  systemId: SYSTEM,
  timeline: 1,
  fromLsn: '0/5000000',
  toLsn: '0/6000000',
  noticedAt: '2026-12-01T06:30:00.000Z',
  reason: 'the slot was lost',
};
const ATTACHED = 'files/00000000-0000-4000-8000-000000000001.pdf';
const DRILL = { verdict: 'green' };

/** Fills an empty store; returns the page that opens it. */
export async function fillGolden(store: BackupStore): Promise<string> {
  const keyring = newKeyRing();
  const { identity, recipient } = await newAgeKeyPair();
  const repository = await createRepository(store, keyring);
  await wrapKeys(store, keyring, { add: [recipient] });
  await repository.putManifest(await preparedBackup(repository, ID, CONTENTS));
  await repository.putSegment({ systemId: SYSTEM, segment: WHOLE }, LOG);
  await repository.putPartialSegment({ systemId: SYSTEM, segment: PARTIAL }, LOG.subarray(0, 1000));
  await repository.putTimelineHistory(SYSTEM, 2, HISTORY);
  await repository.putGap(GAP);
  const { size, sha256, chunks } = await repository.putContent(partsOf(CONTENTS[0] ?? Buffer.alloc(0)));
  await repository.putAttached({ key: ATTACHED, size, sha256, chunks: [...chunks] });
  await repository.putRecord('drills', '20261201T070000Z', DRILL);
  return makeRecoveryKit({
    identity,
    keyring,
    addresses: ['/srv/backup'],
    restoreCommand: 'calculaud restore --to latest --into ./restored',
    madeAt: new Date('2026-12-01T06:00:00.000Z'),
    appVersion: '2.0.0',
  });
}
