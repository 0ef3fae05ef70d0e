import type { DockerApi } from '../host/docker-api.ts';
import { jsonSchema } from './json.ts';
import type { Lease } from './lease.ts';
import {
  chained,
  type FoundEntry,
  type LedgerContent,
  type LedgerEntry,
  type LedgerProblem,
  recoveredHead,
  verifyLedger,
} from './ledger.ts';
import { packed, storedEntry, unpacked } from './ledger-archive.ts';
import { listObjects, objectName, putObject } from './objects.ts';
import type { DeploymentRecord } from './record.ts';
import type { Register } from './register.ts';

/** A ledger as it was found, and what is wrong with it. */
export interface Ledger {
  /** Oldest first. */
  readonly entries: readonly LedgerEntry[];
  /** The hash of the last one: written down elsewhere, it proves all of them. */
  readonly head: string;
  readonly problems: readonly LedgerProblem[];
}

/** So many entries have an object of their own before they are put into an archive … */
const MOST_LOOSE = 100;
/** … and so many of the newest keep it. */
const KEPT_LOOSE = 20;

/** Reads and checks the whole ledger; needs no lease. */
export async function readLedger(register: Register): Promise<Ledger> {
  const { api, stack } = register;
  let { ledger } = (await register.read()).record;
  for (;;) {
    const { objects, problems } = await findObjects(api, stack);
    const { ledger: after } = (await register.read()).record;
    // Somebody wrote meanwhile: what was found belongs to neither of the two heads.
    if (after.head !== ledger.head || (after.pending === null) !== (ledger.pending === null)) {
      ledger = after;
      continue;
    }
    const { pending, ...head } = ledger;
    const found = entriesOf(objects);
    if (pending) found.push({ entry: pending, source: objectName(stack, 'state') });
    const verified = verifyLedger(found, head);
    return { entries: verified.entries, head: head.head, problems: [...problems, ...verified.problems] };
  }
}

/** For a command of a single act, without a journal. */
export async function appendToLedger(lease: Lease, content: OwnContent): Promise<LedgerEntry> {
  await settleLedger(lease);
  const { ledger } = await lease.update((record) => withEntry(lease, record, content));
  await settleLedger(lease);
  if (!ledger.pending) throw new Error('The entry is gone from the record that it was written to');
  return ledger.pending;
}

/** What a command says about itself; where it ran and under which lease is known. */
export type OwnContent = Omit<LedgerContent, 'stack' | 'token' | 'who' | 'release'>;

/** The record with one entry more, which `settleLedger` stores. */
export function withEntry(lease: Lease, record: DeploymentRecord, content: OwnContent): DeploymentRecord {
  if (record.ledger.pending) throw new Error('An entry of the ledger is not stored yet');
  const { stack } = lease.register;
  const entry = chained(
    {
      ...content,
      stack,
      token: lease.token,
      who: lease.holder.who,
      release: jsonSchema.parse(record.release),
    },
    record.ledger,
  );
  return { ...record, ledger: { length: entry.n, head: entry.hash, pending: entry } };
}

/** Stores the entry that this command, or one that was killed, has written to the record; keeps their number bounded. */
export async function settleLedger(lease: Lease): Promise<void> {
  const { api, stack } = lease.register;
  const { ledger } = lease.record();
  if (ledger.length === 0) {
    // The record of a stack may have been lost; its ledger goes on where it ended.
    const { objects } = await findObjects(api, stack);
    const head = recoveredHead(entriesOf(objects));
    if (head.length > 0) await lease.update((record) => ({ ...record, ledger: { ...head, pending: null } }));
    return;
  }
  const { pending } = ledger;
  if (!pending) return;
  const { suffix, data } = storedEntry(pending);
  await lease.guard(async () => putObject(api, stack, 'ledger', suffix, data));
  await lease.update((record) => ({ ...record, ledger: { ...record.ledger, pending: null } }));
  await lease.guard(async () => compact(api, stack, lease));
}

/**
 * Puts the older entries into an archive and only then removes what held them before. Killed in between, it leaves them
 * twice, which harms nobody. What does not fit the chain is left alone: somebody has to look at it.
 */
async function compact(api: DockerApi, stack: string, lease: Lease): Promise<void> {
  const { objects } = await findObjects(api, stack);
  const loose = objects.filter(({ kind }) => kind === 'ledger');
  if (loose.length <= MOST_LOOSE) return;
  const { pending: _, ...head } = lease.record().ledger;
  const chain = new Set(verifyLedger(entriesOf(objects), head).entries.map(({ hash }) => hash));
  const old = loose
    .filter(({ entries }) => entries.every(({ hash }) => chain.has(hash)))
    .toSorted((one, other) => lastOf(one) - lastOf(other))
    .slice(0, -KEPT_LOOSE);
  const newest = objects
    .filter(({ kind, entries }) => kind === 'archive' && entries.every(({ hash }) => chain.has(hash)))
    .toSorted((one, other) => lastOf(other) - lastOf(one))[0];
  const sources = newest ? [newest, ...old] : old;
  const unique = new Map(sources.flatMap(({ entries }) => entries.map((entry) => [entry.n, entry])));
  const stored = new Set<string>();
  for (const { suffix, data } of packed([...unique.values()].toSorted((one, other) => one.n - other.n))) {
    stored.add(await putObject(api, stack, 'archive', suffix, data));
  }
  for (const { name } of sources) {
    if (stored.has(name)) continue;
    lease.assertHeld();
    await api.removeConfig(name);
  }
}

interface FoundObject {
  readonly kind: 'ledger' | 'archive';
  readonly name: string;
  readonly entries: readonly LedgerEntry[];
}

async function findObjects(
  api: DockerApi,
  stack: string,
): Promise<{ readonly objects: readonly FoundObject[]; readonly problems: readonly LedgerProblem[] }> {
  const objects: FoundObject[] = [];
  const problems: LedgerProblem[] = [];
  // In this order: an entry is put into an archive before it loses its own object, so that it is found in one of them.
  for (const kind of ['ledger', 'archive'] as const) {
    for (const { name, data } of await listObjects(api, stack, kind)) {
      try {
        objects.push({ kind, name, entries: unpacked(data) });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        problems.push({
          kind: 'unreadable',
          n: null,
          source: name,
          text: `${name} cannot be read: ${reason}`,
        });
      }
    }
  }
  return { objects, problems };
}

function entriesOf(objects: readonly FoundObject[]): FoundEntry[] {
  return objects.flatMap(({ name, entries }) => entries.map((entry) => ({ entry, source: name })));
}

function lastOf({ entries }: FoundObject): number {
  return entries.at(-1)?.n ?? 0;
}
