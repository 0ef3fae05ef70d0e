import { randomBytes } from 'node:crypto';

/** For backups and records: in the order of time, and never the same twice. */
export function newRecordName(time: Date): string {
  return `${time.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes(4).toString('hex')}`;
}
