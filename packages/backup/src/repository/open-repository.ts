import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Room, type StoredChunk, takeChunks } from './content.ts';
import { decode, encode } from './encoding.ts';
import { type KeyRing, keyedName } from './keyring.ts';
import { withLease } from './lease.ts';
import {
  type AttachedObject,
  attachedObject,
  type BackupManifest,
  backupManifest,
  type ChunkRef,
  FORMAT,
} from './manifest.ts';
import { BackupProblem } from './problem.ts';
import type { Repository, WalGap } from './repository.ts';
import { opened, signed } from './signed.ts';
import type { BackupStore } from './store.ts';

const FORMAT_KEY = 'format.json';
/** 16 MiB: what initdb makes without a wish. */
export const SEGMENT_BYTES = 16 * 1024 * 1024;
/** Chunks that are compressed, encrypted and made durable beside each other: a disk syncs eight files in the time of two. */
const AT_ONCE = 16;
const READ_AHEAD = 4;

/** Of any version; the rest may have another shape in each. */
const anyFormat = z.object({ format: z.int() });
const formatText = z.object({ repository: z.string() });
const SEGMENT = /^[0-9A-F]{24}$/;
const TIMELINE = /^[0-9A-F]{8}$/;
const begunRecord = z.strictObject({ noticedAt: z.iso.datetime() });
const gapRecord = z.strictObject({
  systemId: z.string(),
  timeline: z.int(),
  fromLsn: z.string(),
  toLsn: z.string(),
  noticedAt: z.string(),
  reason: z.string(),
});

/** What a prune and a verification look at beside what everybody does. */
export interface OpenedRepository extends Repository {
  readonly keyring: KeyRing;
  readonly store: BackupStore;
}

/** Makes an empty store a repository of these keys; it is no error when it is one already. */
export async function createRepository(store: BackupStore, keyring: KeyRing): Promise<OpenedRepository> {
  const text = JSON.stringify({ format: FORMAT, repository: keyring.repository, createdAt: new Date() });
  await store.put(FORMAT_KEY, Buffer.from(text), { ifAbsent: true });
  return openRepository(store, keyring);
}

/** Undefined when the store holds no repository. */
export async function repositoryIn(store: BackupStore): Promise<string | undefined> {
  const bytes = await store.get(FORMAT_KEY);
  if (bytes === undefined) return undefined;
  const text = jsonOf(bytes);
  const format = anyFormat.safeParse(text).data?.format;
  const current = formatText.safeParse(text);
  if (format === FORMAT && current.success) return current.data.repository;
  if (format === undefined || format === FORMAT) {
    throw new BackupProblem('corrupt', `${FORMAT_KEY} of ${store.address} is damaged.`, {
      object: FORMAT_KEY,
    });
  }
  throw new BackupProblem(
    'unknown-format',
    `The repository ${store.address} has format ${format}; this version of Calculaud reads format ${FORMAT}. Use the version that wrote it, or a newer one.`,
    { object: FORMAT_KEY },
  );
}

export async function openRepository(store: BackupStore, keyring: KeyRing): Promise<OpenedRepository> {
  const found = await repositoryIn(store);
  if (found === undefined) {
    throw new BackupProblem('missing', `There is no repository in ${store.address}.`, { object: FORMAT_KEY });
  }
  if (found !== keyring.repository) {
    throw new BackupProblem(
      'wrong-key',
      `The repository ${store.address} is ${found}, and the keys are those of ${keyring.repository}.`,
      { object: FORMAT_KEY },
    );
  }

  const put = async (key: string, content: Uint8Array, ifAbsent = false): Promise<number | undefined> => {
    const object = await encode(keyring, key, content);
    return (await store.put(key, object, { ifAbsent })) ? object.length : undefined;
  };
  const get = async (key: string): Promise<Buffer | undefined> => {
    const object = await store.get(key);
    return object && decode(keyring, key, object);
  };
  const names = async (prefix: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { key } of store.list(prefix)) found.push(key.slice(prefix.length));
    return found.toSorted();
  };

  /** Chunks that are there, by name; filled once by listing, so that none is asked for by itself. */
  let known: Promise<Map<string, Promise<number> | 0>> | undefined;
  const knownChunks = async () =>
    (known ??= listChunks(store)).catch((error: unknown) => {
      known = undefined;
      throw error;
    });

  const room = new Room(AT_ONCE);
  const storeChunk = async (chunk: Buffer): Promise<StoredChunk> => {
    const name = keyedName(keyring, 'chunk', chunk);
    const ref: ChunkRef = { name, size: chunk.length };
    const chunks = await knownChunks();
    const there = chunks.get(name);
    if (there !== undefined) {
      await there;
      return { ref, storedBytes: 0 };
    }
    const storing = put(chunkKey(name), chunk).then((bytes) => bytes ?? 0);
    chunks.set(name, storing);
    try {
      const storedBytes = await storing;
      chunks.set(name, 0);
      return { ref, storedBytes };
    } catch (error) {
      chunks.delete(name);
      throw error;
    }
  };

  const getChunk = async ({ name, size }: ChunkRef): Promise<Buffer> => {
    const key = chunkKey(name);
    const chunk = await get(key);
    if (chunk === undefined) {
      throw new BackupProblem('missing', `The chunk ${key} is missing in ${store.address}.`, { object: key });
    }
    if (chunk.length !== size || keyedName(keyring, 'chunk', chunk) !== name) {
      throw new BackupProblem('corrupt', `The chunk ${key} of ${store.address} is not what its name says.`, {
        object: key,
      });
    }
    return chunk;
  };

  const record = async (prefix: string, name: string): Promise<unknown> => {
    const key = `${prefix}${name}`;
    const bytes = await get(key);
    if (bytes === undefined)
      throw new BackupProblem('missing', `${key} is missing in ${store.address}.`, { object: key });
    return opened(keyring, key, bytes);
  };

  const readManifest = async (id: string): Promise<BackupManifest> => {
    const parsed = backupManifest.safeParse(await record('backups/', id));
    if (parsed.success && parsed.data.id === id) return parsed.data;
    throw new BackupProblem('corrupt', `The manifest of the backup ${id} is not one.`, {
      object: `backups/${id}`,
    });
  };

  const attachedKey = (key: string): string => {
    const name = keyedName(keyring, 'attached', key);
    return `attached/${name.slice(0, 2)}/${name}`;
  };
  const readAttached = async (object: string): Promise<AttachedObject | undefined> => {
    const bytes = await get(object);
    return bytes && attachedObject.parse(jsonOf(bytes));
  };

  return {
    id: keyring.repository,
    address: store.address,
    keyring,
    store,

    distrust: async (keys) => {
      const chunks = await knownChunks();
      for (const key of keys) chunks.delete(key.slice(key.lastIndexOf('/') + 1));
    },
    takeContent: async (content) => takeChunks(content, room, storeChunk),
    putContent: async (content) => (await takeChunks(content, room, storeChunk)).stored,
    async *getContent(chunks) {
      const ahead: Promise<Buffer>[] = [];
      let next = 0;
      while (next < chunks.length || ahead.length > 0) {
        for (; ahead.length < READ_AHEAD && next < chunks.length; next += 1) {
          const ref = chunks[next];
          if (ref === undefined) break;
          const reading = getChunk(ref);
          reading.catch(() => undefined);
          ahead.push(reading);
        }
        const chunk = await ahead.shift();
        if (chunk) yield chunk;
      }
    },

    putSegment: async ({ systemId, segment }, content) => {
      const key = segmentKey(systemId, segment);
      if (content.length !== SEGMENT_BYTES) throw new Error(`a segment of ${content.length} bytes`);
      if ((await put(key, content, true)) === undefined) {
        const before = await get(key);
        if (before && !sha256(before).equals(sha256(content))) {
          throw new BackupProblem(
            'foreign',
            `The segment ${segment} is in ${store.address} already, with another content: another server writes under the same identity.`,
            { object: key },
          );
        }
      }
      // In nobody's way: the whole one is preferred. Some writers may not delete.
      await store.delete(`${key}.partial`).catch(() => undefined);
    },
    putPartialSegment: async ({ systemId, segment }, content) => {
      await put(`${segmentKey(systemId, segment)}.partial`, content);
    },
    getSegment: async ({ systemId, segment }) => {
      const key = segmentKey(systemId, segment);
      const content = await get(key);
      if (content) return { content, partial: false };
      const partial = await get(`${key}.partial`);
      if (partial) return { content: partial, partial: true };
      // It was completed between the two questions.
      const completed = await get(key);
      return completed && { content: completed, partial: false };
    },
    listSegments: async (systemId) => {
      const whole = new Map<string, { segment: string; partial: boolean; modified: Date }>();
      for await (const { key, modified } of store.list(`systems/${systemId}/wal/`)) {
        const name = key.slice(key.lastIndexOf('/') + 1);
        const segment = name.slice(0, 24);
        const partial = name === `${segment}.partial`;
        if (!SEGMENT.test(segment) || (!partial && name !== segment)) continue;
        if (!partial || !whole.has(segment)) whole.set(segment, { segment, partial, modified });
      }
      return [...whole.values()].toSorted((a, b) => (a.segment < b.segment ? -1 : 1));
    },
    deleteSegment: async ({ systemId, segment }) => {
      await store.delete(segmentKey(systemId, segment));
      await store.delete(`${segmentKey(systemId, segment)}.partial`);
    },
    putTimelineHistory: async (systemId, timeline, content) => {
      await put(historyKey(systemId, timeline), content);
      // The dates of objects change when a repository is copied.
      const key = begunKey(systemId, timeline);
      await put(key, signed(keyring, key, { noticedAt: new Date() }), true);
    },
    getTimelineHistory: async (systemId, timeline) => get(historyKey(systemId, timeline)),
    listTimelines: async (systemId) => {
      const found: { timeline: number; since: Date }[] = [];
      for await (const { key, modified } of store.list(`systems/${systemId}/history/`)) {
        const name = key.slice(key.lastIndexOf('/') + 1);
        if (!TIMELINE.test(name)) continue;
        const timeline = Number.parseInt(name, 16);
        const begun = await get(begunKey(systemId, timeline));
        const noticed = begun && begunRecord.parse(opened(keyring, begunKey(systemId, timeline), begun));
        found.push({ timeline, since: noticed ? new Date(noticed.noticedAt) : modified });
      }
      return found.toSorted((one, other) => one.timeline - other.timeline);
    },
    putGap: async (gap) => {
      const name = `${gap.timeline}-${gap.fromLsn.replace('/', '-')}-${gap.toLsn.replace('/', '-')}`;
      const key = `systems/${gap.systemId}/gaps/${name}`;
      await put(key, signed(keyring, key, gap));
    },
    listGaps: async (systemId) => {
      const prefix = `systems/${systemId}/gaps/`;
      const found: WalGap[] = [];
      for (const name of await names(prefix)) found.push(gapRecord.parse(await record(prefix, name)));
      return found;
    },

    putManifest: async (manifest) => {
      const checked = backupManifest.parse(manifest);
      // What was adopted from older backups may have been removed meanwhile: only what is there now counts.
      const there = await listChunks(store);
      for (const chunks of [checked.postgresManifest.chunks, ...checked.files.map((file) => file.chunks)]) {
        const lost = chunks.find(({ name }) => !there.has(name));
        if (lost) {
          known = undefined;
          const key = chunkKey(lost.name);
          throw new BackupProblem(
            'missing',
            `The chunk ${key} was removed while the backup ran. Make another backup.`,
            {
              object: key,
            },
          );
        }
      }
      const key = `backups/${checked.id}`;
      if ((await put(key, signed(keyring, key, checked), true)) === undefined) {
        throw new BackupProblem('busy', `There is a backup ${checked.id} in ${store.address} already.`, {
          object: key,
        });
      }
    },
    listManifests: async () => {
      const ids = (await names('backups/')).toReversed();
      const found = await Promise.all(
        ids.map(async (id) =>
          unlessMissing(readManifest(id)).catch((error: unknown) => {
            if (error instanceof BackupProblem && error.kind === 'unavailable') throw error;
            return { id, unreadable: error instanceof Error ? error.message : String(error) };
          }),
        ),
      );
      // What a prune removed since the list was made is no damage.
      return found.filter((each) => each !== undefined);
    },
    getManifest: async (id) => {
      if (!backupManifest.shape.id.safeParse(id).success) return undefined;
      return unlessMissing(readManifest(id));
    },

    putAttached: async (object) => {
      // No manifest looks after these chunks: what was adopted may have been removed since, what was written may be damaged.
      try {
        for (const ref of object.chunks) await getChunk(ref);
      } catch (error) {
        known = undefined;
        throw error;
      }
      await put(attachedKey(object.key), Buffer.from(JSON.stringify(attachedObject.parse(object))));
    },
    getAttached: async (key) => readAttached(attachedKey(key)),
    async *listAttached() {
      for await (const { key } of store.list('attached/')) {
        const object = await readAttached(key);
        if (object) yield object;
      }
    },
    attachedIndex: async () => {
      const there = new Set<string>();
      for await (const { key } of store.list('attached/')) there.add(key);
      return {
        has: (key) => there.has(attachedKey(key)),
        add: (key) => void there.add(attachedKey(key)),
        forget: (key) => void there.delete(attachedKey(key)),
        count: () => there.size,
      };
    },
    deleteAttached: async (key) => store.delete(attachedKey(key)),

    putRecord: async (collection, name, content) => {
      const key = `records/${collection}/${name}`;
      if ((await put(key, signed(keyring, key, content), true)) === undefined) {
        throw new BackupProblem('busy', `There is a record ${key} already.`, { object: key });
      }
    },
    listRecords: async (collection, { newest } = {}) => {
      const prefix = `records/${collection}/`;
      const wanted = await names(prefix);
      const found: { name: string; record: unknown }[] = [];
      for (const name of newest === undefined ? wanted : wanted.slice(-newest))
        found.push({ name, record: await record(prefix, name) });
      return found;
    },

    withLease: async (name, who, work) => withLease(store, name, who, work),
    close: async () => store.close(),
  };
}

async function listChunks(store: BackupStore): Promise<Map<string, Promise<number> | 0>> {
  const chunks = new Map<string, Promise<number> | 0>();
  for await (const { key } of store.list('chunks/')) chunks.set(key.slice(key.lastIndexOf('/') + 1), 0);
  return chunks;
}

function chunkKey(name: string): string {
  return `chunks/${name.slice(0, 2)}/${name}`;
}

function segmentKey(systemId: string, segment: string): string {
  return `systems/${systemId}/wal/${segment.slice(0, 8)}/${segment}`;
}

function begunKey(systemId: string, timeline: number): string {
  return `systems/${systemId}/begun/${timeline.toString(16).padStart(8, '0').toUpperCase()}`;
}

function historyKey(systemId: string, timeline: number): string {
  return `systems/${systemId}/history/${timeline.toString(16).padStart(8, '0').toUpperCase()}`;
}

/** Undefined when what it names is gone. */
async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof BackupProblem && error.kind === 'missing') return undefined;
    throw error;
  }
}

function sha256(content: Uint8Array): Buffer {
  return createHash('sha256').update(content).digest();
}

function jsonOf(bytes: Buffer): unknown {
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    return parsed;
  } catch {
    return undefined;
  }
}
