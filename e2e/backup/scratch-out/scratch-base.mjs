// e2e/backup/scratch-base.ts
import { rmSync } from 'node:fs';
import { join as join8 } from 'node:path';
import { setTimeout as pause5 } from 'node:timers/promises';
import 'pg';

// e2e/backup/debian-postgres.ts
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
var run = promisify(execFile);
var VERSIONS = '/usr/lib/postgresql';
var KNOWN = /* @__PURE__ */ new Set(['15', '16']);
var major = (existsSync(VERSIONS) ? readdirSync(VERSIONS) : [])
  .filter((name2) => KNOWN.has(name2) && existsSync(join(VERSIONS, name2, 'bin/postgres')))
  .toSorted()
  .at(-1);
function serverOwner() {
  if (process.getuid?.() !== 0) return {};
  const id = (what) => Number(execFileSync('id', [what, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
function makeFolder(path, mode = 448) {
  const { uid, gid } = serverOwner();
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
  if (uid !== void 0 && gid !== void 0) chownSync(path, uid, gid);
  return path;
}
function program(name2) {
  if (major === void 0) {
    throw new Error('there is no PostgreSQL of the distribution: run sh scripts/system-packages.sh');
  }
  return join(VERSIONS, major, 'bin', name2);
}
async function asServer(command2, args) {
  const options = { ...serverOwner(), cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' } };
  const { stdout } = await run(command2, args, { ...options, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
async function startServer(dataDirectory, socketDirectory, settings = {}) {
  makeFolder(socketDirectory, 457);
  const log = openSync(`${dataDirectory}.log`, 'a');
  const all = { ...settings, unix_socket_directories: socketDirectory, port: '5432' };
  const args = Object.entries(all).flatMap(([name2, value]) => ['-c', `${name2}=${value}`]);
  const child = spawn(program('postgres'), ['-D', dataDirectory, ...args], {
    ...serverOwner(),
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = once(child, 'exit');
  const connectionString = `postgresql://postgres@localhost/postgres?host=${encodeURIComponent(socketDirectory)}`;
  for (;;) {
    const client = new pg.Client({ connectionString });
    client.on('error', () => void 0);
    const connected = await client.connect().then(
      () => true,
      () => false,
    );
    if (connected) {
      await client.end();
      break;
    }
    if (child.exitCode !== null) {
      throw new Error(`the server ended: ${readFileSync(`${dataDirectory}.log`, 'utf8').slice(-2e3)}`);
    }
    await pause(20);
  }
  return {
    dataDirectory,
    socketDirectory,
    pid: child.pid ?? -1,
    connectionString,
    stop: async () => {
      child.kill('SIGINT');
      await ended;
    },
  };
}

// packages/backup/src/repository/folder-store.ts
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join as join2, relative, resolve } from 'node:path';

// packages/backup/src/repository/problem.ts
var BackupProblem = class extends Error {
  kind;
  object;
  constructor(kind, message, { object, cause } = {}) {
    super(message, cause === void 0 ? {} : { cause });
    this.name = 'BackupProblem';
    this.kind = kind;
    this.object = object;
  }
};

// packages/backup/src/repository/store.ts
var KEY = /^[a-z0-9_-][a-z0-9._-]*(\/[a-z0-9_-][a-z0-9._-]*)*$/i;
function isStoreKey(key2) {
  return KEY.test(key2);
}
function assertStoreKey(key2) {
  if (!isStoreKey(key2)) throw new Error(`not a key of a store: ${key2}`);
}

// packages/backup/src/repository/folder-store.ts
var UNFINISHED = '.unfinished-';
var ABANDONED_MS = 24 * 60 * 60 * 1e3;
async function openFolderStore(path, { create = true } = {}) {
  const root2 = resolve(path);
  const address = `file://${root2}`;
  await told(address, '', async () => {
    if (create) await mkdir(root2, { mode: 448 }).catch(ignore('EEXIST'));
    await access(root2, constants.R_OK | constants.W_OK | constants.X_OK);
  });
  const folders = /* @__PURE__ */ new Set();
  let known = await told(address, '', async () => stat(root2));
  const present = async () => {
    const now = await stat(root2);
    if (now.dev === known.dev && now.ino === known.ino) return;
    if ((await readdir(root2)).length === 0) throw new Unmounted();
    folders.clear();
    known = now;
  };
  const pathOf = (key2) => {
    assertStoreKey(key2);
    return join2(root2, key2);
  };
  const makeFolder3 = async (folder) => {
    if (folders.has(folder) || folder === root2) return;
    await makeFolder3(dirname(folder));
    const made = await mkdir(folder, { mode: 448 }).then(() => true, ignore('EEXIST'));
    if (made) await syncFolder(dirname(folder));
    folders.add(folder);
  };
  const write = async (target, content, ifAbsent) => {
    await present();
    const folder = dirname(target);
    await makeFolder3(folder);
    const unfinished = join2(folder, `${UNFINISHED}${randomBytes(6).toString('hex')}`);
    const file = await open(unfinished, 'wx', 384);
    try {
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      if (ifAbsent) {
        const taken = await link(unfinished, target).then(
          () => false,
          (error) => {
            if (codeOf(error) === 'EEXIST') return true;
            throw error;
          },
        );
        if (taken) return false;
      } else {
        await rename(unfinished, target);
      }
      await syncFolder(folder);
      return true;
    } finally {
      await rm(unfinished, { force: true });
    }
  };
  return {
    address,
    put: async (key2, content, { ifAbsent = false } = {}) => {
      const target = pathOf(key2);
      return told(address, key2, async () => {
        try {
          return await write(target, content, ifAbsent);
        } catch (error) {
          if (codeOf(error) !== 'ENOENT') throw error;
          folders.clear();
          return write(target, content, ifAbsent);
        }
      });
    },
    get: async (key2) =>
      told(address, key2, async () => {
        const content = await readFile(pathOf(key2)).catch(ignore('ENOENT', 'ENOTDIR'));
        if (content === void 0) await present();
        return content;
      }),
    list: (prefix) => walk(address, root2, prefix, present),
    delete: async (key2) =>
      told(address, key2, async () => {
        await present();
        await rm(pathOf(key2), { force: true });
        await syncFolder(dirname(pathOf(key2))).catch(ignore('ENOENT'));
      }),
    close: async () => void 0,
  };
}
async function* walk(address, root2, prefix, present) {
  await told(address, prefix, present);
  const open6 = [join2(root2, prefix)];
  for (let folder = open6.pop(); folder !== void 0; folder = open6.pop()) {
    const here = folder;
    const entries = await told(address, prefix, async () => {
      return (await readdir(here, { withFileTypes: true }).catch(ignore('ENOENT'))) ?? [];
    });
    const found = await Promise.all(
      entries.map(async (entry) => {
        const path = join2(here, entry.name);
        if (entry.isDirectory()) open6.push(path);
        const about = entry.isFile()
          ? await told(address, prefix, async () => stat(path).catch(ignore('ENOENT')))
          : void 0;
        return about && { path, name: entry.name, about };
      }),
    );
    for (const each of found) {
      if (!each) continue;
      const { path, name: name2, about } = each;
      if (!name2.startsWith(UNFINISHED)) {
        yield { key: relative(root2, path), size: about.size, modified: about.mtime };
      } else if (Date.now() - about.mtimeMs > ABANDONED_MS) {
        await rm(path, { force: true }).catch(() => void 0);
      }
    }
  }
}
async function syncFolder(path) {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
function codeOf(error) {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : void 0;
}
function ignore(...codes) {
  return (error) => {
    if (!codes.includes(codeOf(error) ?? '')) throw error;
  };
}
var Unmounted = class extends Error {
  code = 'another, empty folder is in its place';
};
var FULL = /* @__PURE__ */ new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
async function told(address, key2, work) {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === void 0) throw error;
    const object = key2 === '' ? {} : { object: key2 };
    if (FULL.has(code)) {
      throw new BackupProblem(
        'full',
        `The disk of the repository ${address} is full. Make room, or add another repository.`,
        {
          ...object,
          cause: error,
        },
      );
    }
    throw new BackupProblem(
      'unavailable',
      `The repository ${address} cannot be used (${code}). Is the disk mounted, and may this user write there?`,
      { ...object, cause: error },
    );
  }
}

// packages/backup/src/repository/keyring.ts
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes as randomBytes2,
  randomUUID,
} from 'node:crypto';
import { open as open2, readFile as readFile2, rename as rename2, rm as rm2 } from 'node:fs/promises';
import { dirname as dirname2 } from 'node:path';
import { z } from 'zod';
var key = z.base64().transform((text, context) => {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== 32) context.addIssue({ code: 'custom', message: 'is not 32 bytes' });
  return bytes;
});
var keyRingText = z.strictObject({
  format: z.literal(1),
  repository: z.uuid(),
  namingKey: key,
  dataKeys: z.record(z.string().regex(/^[0-9a-f]{16}$/), key),
  currentDataKey: z.string(),
  signingKey: z.string(),
});
function newKeyRing() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const id = newKeyId();
  return {
    repository: randomUUID(),
    namingKey: randomBytes2(32),
    dataKeys: /* @__PURE__ */ new Map([[id, randomBytes2(32)]]),
    currentDataKey: id,
    signingKey: privateKey,
    verifyingKey: publicKey,
  };
}
function newKeyId() {
  return randomBytes2(8).toString('hex');
}
function keyedName({ namingKey }, kind, content) {
  return createHmac('sha256', namingKey).update(kind).update('\0').update(content).digest('hex');
}
function printKeyRing(keyring) {
  return `${JSON.stringify(
    {
      format: 1,
      repository: keyring.repository,
      namingKey: keyring.namingKey.toString('base64'),
      dataKeys: Object.fromEntries(
        [...keyring.dataKeys].map(([id, bytes]) => [id, bytes.toString('base64')]),
      ),
      currentDataKey: keyring.currentDataKey,
      signingKey: keyring.signingKey.export({ format: 'pem', type: 'pkcs8' }),
    },
    null,
    2,
  )}
`;
}
function parseKeyRing(text, origin) {
  try {
    const parsed2 = keyRingText.parse(JSON.parse(text));
    const dataKeys = new Map(Object.entries(parsed2.dataKeys));
    if (!dataKeys.has(parsed2.currentDataKey)) throw new Error('the current key is not among the keys');
    const signingKey = createPrivateKey(parsed2.signingKey);
    return { ...parsed2, dataKeys, signingKey, verifyingKey: createPublicKey(signingKey) };
  } catch (error) {
    throw new BackupProblem(
      'wrong-key',
      `${origin} does not hold the keys of a repository. Restore it from the recovery kit: calculaud recovery-kit use.`,
      { object: origin, cause: error instanceof z.ZodError ? new Error('it has another shape') : void 0 },
    );
  }
}
async function readKeyRing(path) {
  let text;
  try {
    text = await readFile2(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return void 0;
    throw error;
  }
  return parseKeyRing(text, path);
}
async function writeKeyRing(path, keyring) {
  const unfinished = `${path}.unfinished`;
  await rm2(unfinished, { force: true });
  const file = await open2(unfinished, 'wx', 384);
  try {
    await file.writeFile(printKeyRing(keyring));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename2(unfinished, path);
  const folder = await open2(dirname2(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

// packages/backup/src/repository/open-repository.ts
import { createHash as createHash2 } from 'node:crypto';
import { z as z5 } from 'zod';

// packages/backup/src/repository/content.ts
import { createHash } from 'node:crypto';
var CHUNK_BYTES = 1024 * 1024;
var Room = class {
  #unused;
  #free = [];
  #waiting = [];
  constructor(places) {
    this.#unused = places;
  }
  async enter() {
    const free = this.#free.pop();
    if (free) return free;
    if (this.#unused > 0) {
      this.#unused -= 1;
      return Buffer.allocUnsafeSlow(CHUNK_BYTES);
    }
    return new Promise((resolve2) => {
      this.#waiting.push(resolve2);
    });
  }
  leave(place) {
    const next = this.#waiting.shift();
    if (next) next(place);
    else this.#free.push(place);
  }
};
async function takeChunks(content, room, store) {
  const hash = createHash('sha256');
  let size = 0;
  let failed = false;
  let place;
  let filled = 0;
  const chunks = [];
  const complete = (full) => {
    const chunk = full.subarray(0, filled);
    hash.update(chunk);
    size += filled;
    const storing = store(chunk).finally(() => room.leave(full));
    storing.catch(() => {
      failed = true;
    });
    chunks.push(storing);
    place = void 0;
    filled = 0;
  };
  try {
    for await (const part of content) {
      for (let taken = 0; taken < part.length; ) {
        place ??= await room.enter();
        const bytes = Math.min(part.length - taken, CHUNK_BYTES - filled);
        place.set(part.subarray(taken, taken + bytes), filled);
        filled += bytes;
        taken += bytes;
        if (filled === CHUNK_BYTES) complete(place);
        if (failed) await Promise.all(chunks);
      }
    }
    if (place) complete(place);
  } catch (error) {
    if (place) room.leave(place);
    await Promise.allSettled(chunks);
    throw error;
  }
  const sha2563 = hash.digest('hex');
  const stored = allStored(chunks, { size, sha256: sha2563 });
  stored.catch(() => void 0);
  return { size, sha256: sha2563, stored };
}
async function allStored(storing, about) {
  await Promise.allSettled(storing);
  const chunks = await Promise.all(storing);
  const fresh = chunks.filter(({ storedBytes }) => storedBytes > 0);
  return {
    ...about,
    chunks: chunks.map(({ ref }) => ref),
    newBytes: fresh.reduce((sum, { ref }) => sum + ref.size, 0),
    storedBytes: fresh.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
  };
}

// packages/backup/src/repository/encoding.ts
import { createCipheriv, createDecipheriv, randomBytes as randomBytes3 } from 'node:crypto';
import { promisify as promisify2 } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

// packages/backup/src/repository/manifest.ts
import { z as z2 } from 'zod';
var FORMAT = 1;
var lsnText = z2.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
var systemIdText = z2.string().regex(/^\d{1,20}$/);
var name = z2.string().regex(/^[0-9a-f]{64}$/);
var sha256 = z2.string().regex(/^[0-9a-f]{64}$/);
var count = z2.int().min(0);
var chunkRef = z2.strictObject({ name, size: count });
var clusterFile = z2.strictObject({
  path: z2.string().min(1),
  mode: z2.int(),
  size: count,
  sha256,
  chunks: z2.array(chunkRef),
});
var attachedObject = z2.strictObject({
  key: z2.string().min(1),
  size: count,
  sha256,
  chunks: z2.array(chunkRef),
});
var backupManifest = z2.strictObject({
  format: z2.literal(FORMAT),
  id: z2.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  kind: z2.literal('base'),
  /** Why it was made. */
  reason: z2.enum(['scheduled', 'requested', 'before-restore', 'before-migration', 'after-gap']),
  startedAt: z2.iso.datetime(),
  finishedAt: z2.iso.datetime(),
  appVersion: z2.string(),
  postgresVersion: z2.string(),
  systemId: systemIdText,
  timeline: z2.int().min(1),
  startLsn: lsnText,
  stopLsn: lsnText,
  /** Newest migration of the schema at the stop; null for a database without one. */
  migration: z2.string().nullable(),
  /** Rows of each table at the stop, as the planner knows them; for people. */
  tables: z2.record(z2.string(), count),
  directories: z2.array(z2.string()),
  files: z2.array(clusterFile),
  /** PostgreSQL's own backup_manifest, as chunks. */
  postgresManifest: z2.strictObject({ size: count, sha256, chunks: z2.array(chunkRef) }),
  /** All objects that rows of the database at the stop can refer to were in the repository up to here. */
  attached: z2.strictObject({ watermark: z2.iso.datetime().nullable(), objects: count, bytes: count }),
  bytes: z2.strictObject({ total: count, new: count, stored: count }),
});

// packages/backup/src/repository/encoding.ts
var MAGIC = Buffer.from('CLDB');
var KEY_ID_BYTES = 8;
var NONCE_BYTES = 12;
var TAG_BYTES = 16;
var HEAD_BYTES = MAGIC.length + 2 + KEY_ID_BYTES;
var [PLAIN, GZIP] = [0, 1];
var SPEED = { level: 1, memLevel: 9 };
var [ZIPPED_BYTES, UNFOLDED_BYTES] = [512 * 1024, 1024 * 1024 + 1024];
var MOST_BYTES = 256 * 1024 * 1024;
var compress = promisify2(gzip);
var unfold = promisify2(gunzip);
async function encode(keyring, key2, content) {
  const chunkSize = Math.min(content.length + 1024, ZIPPED_BYTES);
  const zipped = content.length > 64 ? await compress(content, { ...SPEED, chunkSize }) : void 0;
  const smaller = zipped !== void 0 && zipped.length < content.length;
  const head = Buffer.concat([
    MAGIC,
    Buffer.from([FORMAT, smaller ? GZIP : PLAIN]),
    Buffer.from(keyring.currentDataKey, 'hex'),
  ]);
  const nonce = randomBytes3(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', dataKey(keyring, keyring.currentDataKey, key2), nonce);
  cipher.setAAD(Buffer.concat([head, Buffer.from(key2)]));
  return Buffer.concat([
    head,
    nonce,
    cipher.update(smaller ? zipped : content),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}
async function decode(keyring, key2, object) {
  const damaged2 = (why, cause) =>
    new BackupProblem(
      'corrupt',
      `The object ${key2} is damaged: ${why}. Another repository may still have it.`,
      {
        object: key2,
        cause,
      },
    );
  if (!object.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, object.length))) {
    throw damaged2('it does not begin as ours do');
  }
  if (object.length < HEAD_BYTES + NONCE_BYTES + TAG_BYTES)
    throw damaged2(`it has only ${object.length} bytes`);
  const [version, compression] = [object[MAGIC.length], object[MAGIC.length + 1]];
  if (version !== FORMAT) {
    throw new BackupProblem(
      'unknown-format',
      `The object ${key2} has format ${version}; this version of Calculaud reads format ${FORMAT}. Use the version that wrote it, or a newer one.`,
      { object: key2 },
    );
  }
  const keyId = object.subarray(MAGIC.length + 2, HEAD_BYTES).toString('hex');
  const decipher = createDecipheriv(
    'aes-256-gcm',
    dataKey(keyring, keyId, key2),
    object.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES),
  );
  decipher.setAAD(Buffer.concat([object.subarray(0, HEAD_BYTES), Buffer.from(key2)]));
  decipher.setAuthTag(object.subarray(-TAG_BYTES));
  try {
    const content = Buffer.concat([
      decipher.update(object.subarray(HEAD_BYTES + NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]);
    return compression === GZIP
      ? await unfold(content, { maxOutputLength: MOST_BYTES, chunkSize: UNFOLDED_BYTES })
      : content;
  } catch (error) {
    throw damaged2('its bytes are not those that were written', error);
  }
}
function dataKey(keyring, id, object) {
  const key2 = keyring.dataKeys.get(id);
  if (key2) return key2;
  throw new BackupProblem(
    'wrong-key',
    `The object ${object} was encrypted with the key ${id}, which is not among those that were given. Use the keys or the recovery kit of this repository.`,
    { object },
  );
}

// packages/backup/src/repository/lease.ts
import { randomUUID as randomUUID2 } from 'node:crypto';
import { setTimeout as pause2 } from 'node:timers/promises';
import { z as z3 } from 'zod';
var TERMS = { termMs: 6e4, renewMs: 15e3, skewMs: 6e4 };
var FARTHEST_MS = 15 * 6e4;
var lease = z3.object({ holder: z3.string(), who: z3.string(), until: z3.coerce.date() });
var numberOf = (key2) => Number(/(\d+)$/.exec(key2)?.[1] ?? 0);
var keyOf = (name2, number) => `leases/${name2}/${String(number).padStart(10, '0')}`;
async function withLease(store, name2, who, work, terms = TERMS) {
  const mine = { holder: randomUUID2(), who };
  const asked = performance.now();
  const key2 = await take(store, name2, mine, terms);
  const lost = new AbortController();
  const done = new AbortController();
  const renewing = renew({
    store,
    name: name2,
    key: key2,
    mine,
    terms,
    goodFrom: asked,
    lost,
    done: done.signal,
  });
  try {
    const result = await work(lost.signal);
    lost.signal.throwIfAborted();
    return result;
  } finally {
    done.abort();
    await renewing;
    if (!lost.signal.aborted) await giveBack(store, key2, mine);
  }
}
async function giveBack(store, key2, mine) {
  try {
    await store.delete(key2);
  } catch {
    await store.put(key2, written(mine, /* @__PURE__ */ new Date(0))).catch(() => void 0);
  }
}
async function take(store, name2, mine, terms) {
  for (;;) {
    const { number, current } = await look(store, name2);
    if (current && isLive(current, terms)) {
      throw new BackupProblem(
        'busy',
        `${current.who} is at work in ${store.address} (${name2}, at least until ${current.until.toISOString()}). Wait for it, or end it.`,
        { object: keyOf(name2, number) },
      );
    }
    const key2 = keyOf(name2, number + 1);
    if (!(await store.put(key2, written(mine, endOf(terms)), { ifAbsent: true }))) continue;
    if ((await look(store, name2)).number !== number + 1) {
      await giveBack(store, key2, mine);
      continue;
    }
    if (number > 0) await store.delete(keyOf(name2, number)).catch(() => void 0);
    return key2;
  }
}
async function look(store, name2) {
  let last;
  for await (const { key: key2 } of store.list(`leases/${name2}/`))
    if (last === void 0 || key2 > last) last = key2;
  if (last === void 0) return { number: 0, current: void 0 };
  const bytes = await store.get(last);
  return { number: numberOf(last), current: bytes && parseLease(bytes) };
}
function parseLease(bytes) {
  try {
    return lease.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return void 0;
  }
}
function isLive({ until }, { skewMs }) {
  const left = until.getTime() - Date.now();
  return left > -skewMs && left < FARTHEST_MS;
}
function endOf({ termMs }) {
  return new Date(Date.now() + termMs);
}
function written(mine, until) {
  return Buffer.from(JSON.stringify({ ...mine, until }));
}
async function renew(held) {
  const { store, name: name2, key: key2, mine, terms, goodFrom, lost, done } = held;
  const lose = (cause) => {
    lost.abort(
      new BackupProblem(
        'busy',
        `The lease ${name2} of ${store.address} was lost: nothing more is done under it. Try again.`,
        { object: key2, cause },
      ),
    );
  };
  const startTerm = (from) => setTimeout(lose, from + terms.termMs - performance.now());
  let term = startTerm(goodFrom);
  const over = AbortSignal.any([lost.signal, done]);
  try {
    for (;;) {
      await pause2(terms.renewMs, void 0, { signal: over }).catch(() => void 0);
      if (over.aborted) return;
      const asked = performance.now();
      try {
        const { number } = await look(store, name2);
        if (keyOf(name2, number) !== key2) {
          lose();
          return;
        }
        await store.put(key2, written(mine, endOf(terms)));
      } catch {
        continue;
      }
      clearTimeout(term);
      if (over.aborted) return;
      term = startTerm(asked);
    }
  } finally {
    clearTimeout(term);
  }
}

// packages/backup/src/repository/signed.ts
import { sign, verify } from 'node:crypto';
import { z as z4 } from 'zod';
var envelope = z4.strictObject({ content: z4.string(), signature: z4.base64() });
function signed({ signingKey }, key2, record) {
  const content = JSON.stringify(record);
  const signature = sign(null, Buffer.from(`${key2}\0${content}`), signingKey).toString('base64');
  return Buffer.from(JSON.stringify({ content, signature }));
}
function opened({ verifyingKey }, key2, bytes) {
  let parsed2;
  try {
    parsed2 = envelope.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw new BackupProblem('corrupt', `The record ${key2} is damaged.`, { object: key2, cause: error });
  }
  const valid = verify(
    null,
    Buffer.from(`${key2}\0${parsed2.content}`),
    verifyingKey,
    Buffer.from(parsed2.signature, 'base64'),
  );
  if (!valid)
    throw new BackupProblem('corrupt', `The record ${key2} is not signed by this system.`, { object: key2 });
  const record = JSON.parse(parsed2.content);
  return record;
}

// packages/backup/src/repository/open-repository.ts
var FORMAT_KEY = 'format.json';
var SEGMENT_BYTES = 16 * 1024 * 1024;
var AT_ONCE = 16;
var READ_AHEAD = 4;
var anyFormat = z5.object({ format: z5.int() });
var formatText = z5.object({ repository: z5.string() });
var SEGMENT = /^[0-9A-F]{24}$/;
var TIMELINE = /^[0-9A-F]{8}$/;
var gapRecord = z5.strictObject({
  systemId: z5.string(),
  timeline: z5.int(),
  fromLsn: z5.string(),
  toLsn: z5.string(),
  noticedAt: z5.string(),
  reason: z5.string(),
});
async function createRepository(store, keyring) {
  const text = JSON.stringify({
    format: FORMAT,
    repository: keyring.repository,
    createdAt: /* @__PURE__ */ new Date(),
  });
  await store.put(FORMAT_KEY, Buffer.from(text), { ifAbsent: true });
  return openRepository(store, keyring);
}
async function repositoryIn(store) {
  const bytes = await store.get(FORMAT_KEY);
  if (bytes === void 0) return void 0;
  const text = jsonOf(bytes);
  const format = anyFormat.safeParse(text).data?.format;
  const current = formatText.safeParse(text);
  if (format === FORMAT && current.success) return current.data.repository;
  if (format === void 0 || format === FORMAT) {
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
async function openRepository(store, keyring) {
  const found = await repositoryIn(store);
  if (found === void 0) {
    throw new BackupProblem('missing', `There is no repository in ${store.address}.`, { object: FORMAT_KEY });
  }
  if (found !== keyring.repository) {
    throw new BackupProblem(
      'wrong-key',
      `The repository ${store.address} is ${found}, and the keys are those of ${keyring.repository}.`,
      { object: FORMAT_KEY },
    );
  }
  const put = async (key2, content, ifAbsent = false) => {
    const object = await encode(keyring, key2, content);
    return (await store.put(key2, object, { ifAbsent })) ? object.length : void 0;
  };
  const get = async (key2) => {
    const object = await store.get(key2);
    return object && decode(keyring, key2, object);
  };
  const names = async (prefix) => {
    const found2 = [];
    for await (const { key: key2 } of store.list(prefix)) found2.push(key2.slice(prefix.length));
    return found2.toSorted();
  };
  let known;
  const knownChunks = async () =>
    (known ??= listChunks(store)).catch((error) => {
      known = void 0;
      throw error;
    });
  const room = new Room(AT_ONCE);
  const storeChunk = async (chunk) => {
    const name2 = keyedName(keyring, 'chunk', chunk);
    const ref = { name: name2, size: chunk.length };
    const chunks = await knownChunks();
    const there = chunks.get(name2);
    if (there !== void 0) {
      await there;
      return { ref, storedBytes: 0 };
    }
    const storing = put(chunkKey(name2), chunk).then((bytes) => bytes ?? 0);
    chunks.set(name2, storing);
    try {
      const storedBytes = await storing;
      chunks.set(name2, 0);
      return { ref, storedBytes };
    } catch (error) {
      chunks.delete(name2);
      throw error;
    }
  };
  const getChunk = async ({ name: name2, size }) => {
    const key2 = chunkKey(name2);
    const chunk = await get(key2);
    if (chunk === void 0) {
      throw new BackupProblem('missing', `The chunk ${key2} is missing in ${store.address}.`, {
        object: key2,
      });
    }
    if (chunk.length !== size || keyedName(keyring, 'chunk', chunk) !== name2) {
      throw new BackupProblem('corrupt', `The chunk ${key2} of ${store.address} is not what its name says.`, {
        object: key2,
      });
    }
    return chunk;
  };
  const record = async (prefix, name2) => {
    const key2 = `${prefix}${name2}`;
    const bytes = await get(key2);
    if (bytes === void 0)
      throw new BackupProblem('missing', `${key2} is missing in ${store.address}.`, { object: key2 });
    return opened(keyring, key2, bytes);
  };
  const readManifest = async (id) => {
    const parsed2 = backupManifest.safeParse(await record('backups/', id));
    if (parsed2.success && parsed2.data.id === id) return parsed2.data;
    throw new BackupProblem('corrupt', `The manifest of the backup ${id} is not one.`, {
      object: `backups/${id}`,
    });
  };
  const attachedKey = (key2) => {
    const name2 = keyedName(keyring, 'attached', key2);
    return `attached/${name2.slice(0, 2)}/${name2}`;
  };
  const readAttached = async (object) => {
    const bytes = await get(object);
    return bytes && attachedObject.parse(jsonOf(bytes));
  };
  return {
    id: keyring.repository,
    address: store.address,
    keyring,
    store,
    takeContent: async (content) => takeChunks(content, room, storeChunk),
    putContent: async (content) => (await takeChunks(content, room, storeChunk)).stored,
    async *getContent(chunks) {
      const ahead = [];
      let next = 0;
      while (next < chunks.length || ahead.length > 0) {
        for (; ahead.length < READ_AHEAD && next < chunks.length; next += 1) {
          const ref = chunks[next];
          if (ref === void 0) break;
          const reading = getChunk(ref);
          reading.catch(() => void 0);
          ahead.push(reading);
        }
        const chunk = await ahead.shift();
        if (chunk) yield chunk;
      }
    },
    putSegment: async ({ systemId, segment }, content) => {
      const key2 = segmentKey(systemId, segment);
      if (content.length !== SEGMENT_BYTES) throw new Error(`a segment of ${content.length} bytes`);
      if ((await put(key2, content, true)) === void 0) {
        const before = await get(key2);
        if (before && !sha2562(before).equals(sha2562(content))) {
          throw new BackupProblem(
            'foreign',
            `The segment ${segment} is in ${store.address} already, with another content: another server writes under the same identity.`,
            { object: key2 },
          );
        }
      }
      await store.delete(`${key2}.partial`).catch(() => void 0);
    },
    putPartialSegment: async ({ systemId, segment }, content) => {
      await put(`${segmentKey(systemId, segment)}.partial`, content);
    },
    getSegment: async ({ systemId, segment }) => {
      const key2 = segmentKey(systemId, segment);
      const content = await get(key2);
      if (content) return { content, partial: false };
      const partial = await get(`${key2}.partial`);
      if (partial) return { content: partial, partial: true };
      const completed = await get(key2);
      return completed && { content: completed, partial: false };
    },
    listSegments: async (systemId) => {
      const whole = /* @__PURE__ */ new Map();
      for await (const { key: key2, modified } of store.list(`systems/${systemId}/wal/`)) {
        const name2 = key2.slice(key2.lastIndexOf('/') + 1);
        const segment = name2.slice(0, 24);
        const partial = name2 === `${segment}.partial`;
        if (!SEGMENT.test(segment) || (!partial && name2 !== segment)) continue;
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
    },
    getTimelineHistory: async (systemId, timeline) => get(historyKey(systemId, timeline)),
    listTimelines: async (systemId) =>
      (await names(`systems/${systemId}/history/`))
        .filter((name2) => TIMELINE.test(name2))
        .map((name2) => Number.parseInt(name2, 16)),
    putGap: async (gap) => {
      const name2 = `${gap.timeline}-${gap.fromLsn.replace('/', '-')}-${gap.toLsn.replace('/', '-')}`;
      const key2 = `systems/${gap.systemId}/gaps/${name2}`;
      await put(key2, signed(keyring, key2, gap));
    },
    listGaps: async (systemId) => {
      const prefix = `systems/${systemId}/gaps/`;
      const found2 = [];
      for (const name2 of await names(prefix)) found2.push(gapRecord.parse(await record(prefix, name2)));
      return found2;
    },
    putManifest: async (manifest) => {
      const checked = backupManifest.parse(manifest);
      const there = await listChunks(store);
      for (const chunks of [checked.postgresManifest.chunks, ...checked.files.map((file) => file.chunks)]) {
        const lost = chunks.find(({ name: name2 }) => !there.has(name2));
        if (lost) {
          known = void 0;
          const key3 = chunkKey(lost.name);
          throw new BackupProblem(
            'missing',
            `The chunk ${key3} was removed while the backup ran. Make another backup.`,
            {
              object: key3,
            },
          );
        }
      }
      const key2 = `backups/${checked.id}`;
      if ((await put(key2, signed(keyring, key2, checked), true)) === void 0) {
        throw new BackupProblem('busy', `There is a backup ${checked.id} in ${store.address} already.`, {
          object: key2,
        });
      }
    },
    listManifests: async () => {
      const ids = (await names('backups/')).toReversed();
      const found2 = await Promise.all(
        ids.map(async (id) =>
          unlessMissing(readManifest(id)).catch((error) => {
            if (error instanceof BackupProblem && error.kind === 'unavailable') throw error;
            return { id, unreadable: error instanceof Error ? error.message : String(error) };
          }),
        ),
      );
      return found2.filter((each) => each !== void 0);
    },
    getManifest: async (id) => {
      if (!backupManifest.shape.id.safeParse(id).success) return void 0;
      return unlessMissing(readManifest(id));
    },
    putAttached: async (object) => {
      try {
        for (const ref of object.chunks) await getChunk(ref);
      } catch (error) {
        known = void 0;
        throw error;
      }
      await put(attachedKey(object.key), Buffer.from(JSON.stringify(attachedObject.parse(object))));
    },
    getAttached: async (key2) => readAttached(attachedKey(key2)),
    async *listAttached() {
      for await (const { key: key2 } of store.list('attached/')) {
        const object = await readAttached(key2);
        if (object) yield object;
      }
    },
    deleteAttached: async (key2) => store.delete(attachedKey(key2)),
    putRecord: async (collection, name2, content) => {
      const key2 = `records/${collection}/${name2}`;
      if ((await put(key2, signed(keyring, key2, content), true)) === void 0) {
        throw new BackupProblem('busy', `There is a record ${key2} already.`, { object: key2 });
      }
    },
    listRecords: async (collection) => {
      const prefix = `records/${collection}/`;
      const found2 = [];
      for (const name2 of await names(prefix))
        found2.push({ name: name2, record: await record(prefix, name2) });
      return found2;
    },
    withLease: async (name2, who, work) => withLease(store, name2, who, work),
    close: async () => store.close(),
  };
}
async function listChunks(store) {
  const chunks = /* @__PURE__ */ new Map();
  for await (const { key: key2 } of store.list('chunks/'))
    chunks.set(key2.slice(key2.lastIndexOf('/') + 1), 0);
  return chunks;
}
function chunkKey(name2) {
  return `chunks/${name2.slice(0, 2)}/${name2}`;
}
function segmentKey(systemId, segment) {
  return `systems/${systemId}/wal/${segment.slice(0, 8)}/${segment}`;
}
function historyKey(systemId, timeline) {
  return `systems/${systemId}/history/${timeline.toString(16).padStart(8, '0').toUpperCase()}`;
}
async function unlessMissing(work) {
  try {
    return await work;
  } catch (error) {
    if (error instanceof BackupProblem && error.kind === 'missing') return void 0;
    throw error;
  }
}
function sha2562(content) {
  return createHash2('sha256').update(content).digest();
}
function jsonOf(bytes) {
  try {
    const parsed2 = JSON.parse(bytes.toString('utf8'));
    return parsed2;
  } catch {
    return void 0;
  }
}

// packages/backup/src/engine/create.ts
import pg4 from 'pg';
import { z as z9 } from 'zod';

// packages/backup/src/postgres/base-backup.ts
import pg3 from 'pg';
import { z as z8 } from 'zod';

// packages/backup/src/postgres/base-backup-archive.ts
var BLOCK_BYTES = 512;
var [NAME, MODE, SIZE, CHECKSUM, TYPE, PREFIX] = [
  [0, 100],
  [100, 108],
  [124, 136],
  [148, 156],
  156,
  [345, 500],
];
var BINARY = 128;
var ArchiveReader = class {
  #parts;
  #rest = Buffer.alloc(0);
  #left = 0;
  #padding = 0;
  constructor(parts) {
    this.#parts = parts[Symbol.asyncIterator]();
  }
  /** Undefined at the end. The content of the entry before must have been read. */
  async next() {
    if (this.#left > 0) throw new Error(`an entry was left with ${this.#left} bytes`);
    await this.#take(this.#padding);
    const header = await this.#take(BLOCK_BYTES);
    if (header[0] === 0) {
      while (await this.#more());
      return void 0;
    }
    const entry = entryOf(header);
    this.#left = entry.type === 'file' ? entry.size : 0;
    this.#padding = (BLOCK_BYTES - (this.#left % BLOCK_BYTES)) % BLOCK_BYTES;
    return entry;
  }
  /** Of the entry that came last. */
  async *content() {
    while (this.#left > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) throw cutOff();
      const part = this.#rest.subarray(0, this.#left);
      this.#rest = this.#rest.subarray(part.length);
      this.#left -= part.length;
      yield part;
    }
  }
  async #take(bytes) {
    while (this.#rest.length < bytes) {
      const before = this.#rest;
      if (!(await this.#more())) throw cutOff();
      if (before.length > 0) this.#rest = Buffer.concat([before, this.#rest]);
    }
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return taken;
  }
  async #more() {
    const { done, value } = await this.#parts.next();
    if (done) return false;
    this.#rest = value;
    return true;
  }
};
function entryOf(header) {
  let sum = 0;
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    sum += at >= CHECKSUM[0] && at < CHECKSUM[1] ? 32 : (header[at] ?? 0);
  }
  if (sum !== numberOf2(header, CHECKSUM)) throw new Error('a header of the archive has another checksum');
  const prefix = textOf(header, PREFIX);
  return {
    name: prefix === '' ? textOf(header, NAME) : `${prefix}/${textOf(header, NAME)}`,
    mode: numberOf2(header, MODE),
    size: numberOf2(header, SIZE),
    type: typeOf(String.fromCharCode(header[TYPE] ?? 0)),
  };
}
function typeOf(letter) {
  if (letter === '0' || letter === '\0') return 'file';
  if (letter === '5') return 'directory';
  if (letter === '1' || letter === '2') return 'link';
  throw new Error(`an entry of the archive is of the unknown type ${letter}`);
}
function textOf(header, [from, to]) {
  const end = header.indexOf(0, from);
  return header.toString('utf8', from, end === -1 || end > to ? to : end);
}
function numberOf2(header, [from, to]) {
  if (header[from] === BINARY) return Number(header.readBigUInt64BE(to - 8));
  const text = textOf(header, [from, to]).trim();
  if (!/^[0-7]*$/.test(text)) throw new Error(`${text} is no number of an archive`);
  return text === '' ? 0 : Number.parseInt(text, 8);
}
function cutOff() {
  return new Error('the archive ended in the middle');
}

// packages/backup/src/postgres/base-backup-manifest.ts
import { createHash as createHash3 } from 'node:crypto';
import { z as z6 } from 'zod';
var manifestText = z6.object({
  'System-Identifier': z6.union([z6.string(), z6.number()]).optional(),
  Files: z6.array(
    z6.object({
      Path: z6.string().optional(),
      /** In hexadecimal, where the path is no UTF-8. */
      'Encoded-Path': z6.string().optional(),
      Size: z6.int(),
      'Checksum-Algorithm': z6.literal('SHA256'),
      Checksum: z6.string(),
    }),
  ),
});
var UNLISTED = 'pg_wal/';
function assertAsAnnounced(manifest, { systemId, seen }) {
  const { Files: files, 'System-Identifier': id } = parsed(manifest);
  if (id !== void 0 && !manifest.includes(`"System-Identifier": ${systemId},`)) {
    throw damaged(`its manifest is of the cluster ${id}, and not of ${systemId}`, 'backup_manifest');
  }
  const listed = /* @__PURE__ */ new Set();
  for (const file of files) {
    const path = file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('utf8');
    listed.add(path);
    const found = seen.get(path);
    if (!found) throw damaged(`${path} did not come`, path);
    if (found.size !== file.Size) {
      throw damaged(`${path} has ${found.size} instead of ${file.Size} bytes`, path);
    }
    if (found.sha256 !== file.Checksum) throw damaged(`${path} has another checksum`, path);
  }
  for (const path of seen.keys()) {
    if (!listed.has(path) && !path.startsWith(UNLISTED)) throw damaged(`${path} came unannounced`, path);
  }
}
function parsed(manifest) {
  const end = Math.max(manifest.lastIndexOf('"Manifest-Checksum"'), 0);
  const stated = /^"Manifest-Checksum": "([0-9a-f]{64})"\}\s*$/.exec(manifest.toString('latin1', end))?.[1];
  if (stated !== createHash3('sha256').update(manifest.subarray(0, end)).digest('hex')) {
    throw damaged('its manifest is incomplete or has another checksum', 'backup_manifest');
  }
  try {
    return manifestText.parse(JSON.parse(manifest.toString('utf8')));
  } catch (error) {
    throw damaged('its manifest cannot be read', 'backup_manifest', error);
  }
}
function damaged(why, object, cause) {
  return new BackupProblem(
    'corrupt',
    `The base backup is not what the server said it sent: ${why}. Make it again; if it stays so, check the memory and the disk of the server.`,
    { object, cause },
  );
}

// packages/backup/src/postgres/replication.ts
import pg2 from 'pg';
import { z as z7 } from 'zod';
var identity = z7.object({ systemid: z7.string(), timeline: z7.coerce.number().int(), xlogpos: z7.string() });
var slotRow = z7.object({ slot_type: z7.string().nullable(), restart_lsn: z7.string().nullable() });
var historyRow = z7.object({ content: z7.union([z7.string(), z7.instanceof(Buffer)]) });
async function connectForReplication(connectionString) {
  const url = new URL(connectionString);
  url.searchParams.set('replication', 'true');
  url.searchParams.set('application_name', 'calculaud backup');
  const client = new pg2.Client({
    connectionString: url.href,
    connectionTimeoutMillis: 1e4,
    keepAlive: true,
    keepAliveInitialDelayMillis: 1e4,
  });
  client.on('error', () => void 0);
  try {
    await client.connect();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const detail = error instanceof pg2.DatabaseError ? error.detail : void 0;
    const words = detail === void 0 ? said : `${said} (${detail.replace(/\.$/, '')})`;
    throw new BackupProblem('unavailable', `The database cannot be reached for a backup: ${words}.`, {
      cause: error,
    });
  }
  return client;
}
async function identify(client) {
  const { rows } = await client.query('IDENTIFY_SYSTEM');
  const { systemid, timeline, xlogpos } = identity.parse(rows[0]);
  return { systemId: systemid, timeline, flushedLsn: xlogpos };
}
async function readSlot(client, slot) {
  const { rows } = await client.query(`READ_REPLICATION_SLOT ${named(slot)}`);
  const { slot_type: type, restart_lsn: lsn } = slotRow.parse(rows[0]);
  return { exists: type !== null, lsn };
}
async function createSlot(client, slot) {
  await client.query(`CREATE_REPLICATION_SLOT ${named(slot)} PHYSICAL RESERVE_WAL`);
}
async function dropSlot(client, slot) {
  await client.query(`DROP_REPLICATION_SLOT ${named(slot)}`);
}
async function timelineHistory(client, timeline) {
  const { rows } = await client.query(`TIMELINE_HISTORY ${timeline}`);
  const { content } = historyRow.parse(rows[0]);
  return Buffer.from(content);
}
function named(slot) {
  if (!/^[a-z0-9_]{1,63}$/.test(slot)) throw new Error(`not a name of a slot: ${slot}`);
  return slot;
}
var PAUSE_ABOVE = 4 * 1024 * 1024;
var RESUME_BELOW = 1024 * 1024;
var CopyStream = class {
  rows = [];
  #text;
  #bothWays;
  #waiting = [];
  #bytes = 0;
  #connection;
  #paused = false;
  #ended = false;
  #error;
  #wake = () => void 0;
  constructor(text, bothWays) {
    this.#text = text;
    this.#bothWays = bothWays;
  }
  submit(connection) {
    this.#connection = connection;
    if (this.#bothWays) {
      connection.on('replicationStart', this.#bothWays.onStart);
      connection.on('copyDone', this.#answerEnd);
    }
    connection.query(this.#text);
  }
  /** Sends a message the other way. */
  send(message) {
    if (!this.#ended) this.#call('sendCopyFromChunk', message);
  }
  #answerEnd = () => this.#call('endCopyFrom');
  /** What the types of `pg` leave out. */
  #call(method, ...values) {
    const connection = this.#connection;
    if (!connection) return;
    const found = Reflect.get(connection, method);
    if (typeof found !== 'function') throw new Error(`this version of pg has no ${method}`);
    Reflect.apply(found, connection, values);
  }
  /** To be read once. Rejects with what the server said, or with 'unavailable' when the connection ended. */
  async *messages() {
    for (;;) {
      const message = this.#waiting.shift();
      if (message) {
        this.#bytes -= message.length;
        if (this.#paused && this.#bytes < RESUME_BELOW) {
          this.#paused = false;
          this.#connection?.stream.resume();
        }
        yield message;
        continue;
      }
      if (this.#error) throw this.#error;
      if (this.#ended) return;
      await new Promise((resolve2) => {
        this.#wake = resolve2;
      });
    }
  }
  // What `pg` calls as the answer comes in.
  handleRowDescription() {}
  handleDataRow({ fields }) {
    this.rows.push(fields);
  }
  handleCommandComplete() {}
  handleEmptyQuery() {}
  handlePortalSuspended() {}
  handleCopyInResponse() {}
  handleCopyData({ chunk }) {
    const message = Buffer.from(chunk);
    this.#waiting.push(message);
    this.#bytes += message.length;
    if (!this.#paused && this.#bytes > PAUSE_ABOVE) {
      this.#paused = true;
      this.#connection?.stream.pause();
    }
    this.#wake();
  }
  handleReadyForQuery() {
    this.#end();
  }
  handleError(error) {
    this.#error ??=
      error instanceof pg2.DatabaseError
        ? error
        : new BackupProblem('unavailable', `The connection to the database ended: ${error.message}.`, {
            cause: error,
          });
    this.#end();
  }
  #end() {
    this.#ended = true;
    if (this.#bothWays) this.#connection?.off('replicationStart', this.#bothWays.onStart);
    this.#connection?.off('copyDone', this.#answerEnd);
    this.#wake();
  }
};

// packages/backup/src/postgres/base-backup.ts
var [NEW_ARCHIVE, MANIFEST, DATA] = [110, 109, 100];
var DATA_CORRUPTED = 'XX001';
var versionRow = z8.object({ server_version: z8.string() });
var positionRow = z8.tuple([z8.string(), z8.coerce.number().int()]).rest(z8.unknown());
async function takeBaseBackup(options) {
  const { connectionString, signal: signal2 } = options;
  signal2?.throwIfAborted();
  const client = await connectForReplication(connectionString);
  const abort = () => abandon(client);
  signal2?.addEventListener('abort', abort);
  const damaged2 = /* @__PURE__ */ new Set();
  client.on('notice', ({ message }) => {
    const file = /checksum verification failed in file "(?:\.\/)?([^"]+)"/.exec(message ?? '')?.[1];
    if (file !== void 0) damaged2.add(file);
  });
  try {
    signal2?.throwIfAborted();
    const { systemId } = await identify(client);
    const { rows } = await client.query('SHOW server_version');
    const { server_version: postgresVersion } = versionRow.parse(rows[0]);
    return { systemId, postgresVersion, ...(await copy(client, options, systemId)) };
  } catch (error) {
    signal2?.throwIfAborted();
    throw error instanceof pg3.DatabaseError ? refusal(error, [...damaged2]) : error;
  } finally {
    signal2?.removeEventListener('abort', abort);
    await client.end().catch(() => void 0);
  }
}
async function copy(client, options, systemId) {
  const stream = client.query(new CopyStream(command(options)));
  const manifest = [];
  const { directories, seen } = await unpack(new ArchiveReader(archiveIn(stream, manifest)), options);
  assertAsAnnounced(Buffer.concat(manifest), { systemId, seen });
  const [startLsn] = positionRow.parse(stream.rows[0]);
  const [stopLsn, timeline] = positionRow.parse(stream.rows.at(-1));
  return { timeline, startLsn, stopLsn, directories, manifest: Buffer.concat(manifest) };
}
function abandon(client) {
  client.end().catch(() => void 0);
}
function command({ label, maxRateKb, includeWal = false }) {
  const options = [
    `LABEL '${label.replaceAll("'", "''")}'`,
    "CHECKPOINT 'fast'",
    `WAL ${includeWal}`,
    // Never wait for somebody else's archive: a dead one held a backup up for more than ten minutes (backup.md, 2.5).
    'WAIT false',
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'SHA256'",
    ...(maxRateKb === void 0 ? [] : [`MAX_RATE ${maxRateKb}`]),
  ];
  return `BASE_BACKUP (${options.join(', ')})`;
}
async function* archiveIn(stream, manifest) {
  let part = 'archive';
  for await (const message of stream.messages()) {
    if (message[0] === NEW_ARCHIVE) assertMainArchive(message);
    else if (message[0] === MANIFEST) part = 'manifest';
    else if (message[0] !== DATA) continue;
    else if (part === 'manifest') manifest.push(message.subarray(1));
    else yield message.subarray(1);
  }
}
function assertMainArchive(message) {
  const name2 = message.toString('utf8', 1, message.indexOf(0, 1));
  if (name2 === 'base.tar') return;
  throw new BackupProblem(
    'impossible',
    `The cluster has a tablespace of its own (${name2}), which this backup cannot carry. Move its tables to the data folder (ALTER TABLE \u2026 SET TABLESPACE pg_default) and drop it, or back the server up with pgBackRest.`,
    { object: name2 },
  );
}
async function unpack(archive, { store, signal: signal2 }) {
  const directories = [];
  const seen = /* @__PURE__ */ new Map();
  for (let entry = await archive.next(); entry; entry = await archive.next()) {
    signal2?.throwIfAborted();
    const { name: name2, mode, size, type } = entry;
    const path = name2.replace(/^\.\//, '').replace(/\/$/, '');
    if (type === 'directory') {
      directories.push(path);
    } else if (type === 'file') {
      let read = 0;
      const content = (async function* () {
        for await (const bytes of archive.content()) {
          read += bytes.length;
          yield bytes;
        }
      })();
      const stored = await store({ path, mode, size, content });
      if (read !== size) throw new Error(`${path} was read up to ${read} of ${size} bytes`);
      seen.set(path, stored);
    } else {
      throw new BackupProblem(
        'impossible',
        `The cluster holds ${path}, a ${type} that a backup cannot carry. Remove it from the data folder.`,
        { object: path },
      );
    }
  }
  return { directories, seen };
}
function refusal(error, damaged2) {
  if (error.code !== DATA_CORRUPTED) {
    return new BackupProblem('unavailable', `The server gave no backup: ${error.message}.`, { cause: error });
  }
  return new BackupProblem(
    'corrupt',
    `The server found damaged pages while it was backed up, in ${damaged2.join(', ') || 'a file that it did not name'}: ${error.message}. Earlier backups are not affected: restore one beside the server before anything else. See docs/operations/backup.md, "Damaged pages".`,
    { cause: error, object: damaged2[0] ?? 'database' },
  );
}

// packages/backup/src/repository/record-name.ts
import { randomBytes as randomBytes4 } from 'node:crypto';
function newRecordName(time) {
  return `${time.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes4(4).toString('hex')}`;
}

// packages/backup/src/engine/create.ts
async function createBackup(options) {
  const { repository, connectionString, reason, appVersion, signal: signal2, onProgress } = options;
  return repository.withLease('backup', `calculaud backup (${reason})`, async (lost) => {
    const both = AbortSignal.any([signal2, lost]);
    const startedAt = /* @__PURE__ */ new Date();
    const under = [];
    let failed;
    let received = 0;
    const store = async ({ path, mode, content }) => {
      both.throwIfAborted();
      const taken2 = await repository.takeContent(content);
      taken2.stored.catch(() => {
        failed ??= taken2.stored;
      });
      under.push({ path, mode, stored: taken2.stored });
      received += taken2.size;
      onProgress?.({ files: under.length, bytes: received });
      await failed;
      return taken2;
    };
    const id = newRecordName(startedAt);
    const label = `calculaud ${id}`;
    const taken = await takeBaseBackup({ connectionString, label, store, signal: both }).finally(async () =>
      // Nothing is written any more when the lease ends.
      Promise.allSettled(under.map(({ stored }) => stored)),
    );
    const files = [];
    const bytes = { total: 0, new: 0, stored: 0 };
    for (const { path, mode, stored } of under) {
      const { size: size2, sha256: sha2564, chunks: chunks2, newBytes, storedBytes } = await stored;
      files.push({ path, mode, size: size2, sha256: sha2564, chunks: [...chunks2] });
      bytes.total += size2;
      bytes.new += newBytes;
      bytes.stored += storedBytes;
    }
    const about = await describe(connectionString);
    const attached = await options.copyAttached?.();
    const manifestContent = await repository.putContent(one(taken.manifest));
    await options.waitForWal(taken.systemId, taken.stopLsn);
    both.throwIfAborted();
    const { size, sha256: sha2563, chunks } = manifestContent;
    const manifest = {
      format: FORMAT,
      id,
      kind: 'base',
      reason,
      startedAt: startedAt.toISOString(),
      finishedAt: /* @__PURE__ */ new Date().toISOString(),
      appVersion,
      postgresVersion: taken.postgresVersion,
      systemId: taken.systemId,
      timeline: taken.timeline,
      startLsn: taken.startLsn,
      stopLsn: taken.stopLsn,
      ...about,
      directories: [...taken.directories],
      files,
      postgresManifest: { size, sha256: sha2563, chunks: [...chunks] },
      attached: {
        watermark: attached?.until.toISOString() ?? null,
        objects: attached?.objects ?? 0,
        bytes: attached?.bytes ?? 0,
      },
      bytes,
    };
    await repository.putManifest(manifest);
    return manifest;
  });
}
async function* one(content) {
  yield content;
}
var tableRow = z9.object({ name: z9.string(), rows: z9.coerce.number() });
async function describe(connectionString) {
  const client = new pg4.Client({ connectionString, application_name: 'calculaud backup' });
  await client.connect();
  try {
    const { rows } = await client.query(`/* backup.tables */
      select relname as name, greatest(reltuples, 0)::bigint as rows from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname`);
    const tables = z9.array(tableRow).parse(rows);
    if (!tables.some(({ name: name3 }) => name3 === 'schema_migration'))
      return { migration: null, tables: asRecord(tables) };
    const { rows: newest } = await client.query('select max(name) as name from schema_migration');
    const { name: name2 } = z9.object({ name: z9.string().nullable() }).parse(newest[0]);
    return { migration: name2, tables: asRecord(tables) };
  } finally {
    await client.end();
  }
}
function asRecord(tables) {
  return Object.fromEntries(tables.map(({ name: name2, rows }) => [name2, rows]));
}

// packages/backup/src/engine/ship.ts
import { open as open3, readdir as readdir2, readFile as readFile3, rm as rm3 } from 'node:fs/promises';
import { join as join3 } from 'node:path';
import { setTimeout as pause3 } from 'node:timers/promises';

// packages/backup/src/postgres/lsn.ts
var SEGMENT_BYTES2 = 16n * 1024n * 1024n;
var SEGMENTS_OF_A_LOG = 0x100000000n / SEGMENT_BYTES2;
function parseLsn(text) {
  const [, high, low] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text) ?? [];
  if (high === void 0 || low === void 0) throw new Error(`not a position in the log: ${text}`);
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
function formatLsn(lsn) {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase();
}
function segmentAt(timeline, lsn) {
  const number = lsn / SEGMENT_BYTES2;
  return [BigInt(timeline), number / SEGMENTS_OF_A_LOG, number % SEGMENTS_OF_A_LOG]
    .map((part) => part.toString(16).padStart(8, '0').toUpperCase())
    .join('');
}
function placeOf(segment) {
  if (!/^[0-9A-F]{24}$/.test(segment)) return void 0;
  const part = (index) => BigInt(`0x${segment.slice(index * 8, index * 8 + 8)}`);
  if (part(2) >= SEGMENTS_OF_A_LOG) return void 0;
  return { timeline: Number(part(0)), start: (part(1) * SEGMENTS_OF_A_LOG + part(2)) * SEGMENT_BYTES2 };
}
function startOfSegment(lsn) {
  return lsn - (lsn % SEGMENT_BYTES2);
}
function parseHistory(text) {
  return text.split('\n').flatMap((line) => {
    const [, timeline, until] = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? [];
    return timeline && until ? [{ timeline: Number(timeline), until: parseLsn(until) }] : [];
  });
}
function historyName(timeline) {
  return `${timeline.toString(16).padStart(8, '0').toUpperCase()}.history`;
}

// packages/backup/src/engine/ship.ts
var TURN_MS = 5e3;
var [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [1e3, 3e4];
var HISTORY = /^([0-9A-F]{8})\.history$/;
function startShipping({ spool, repositories, onEvent }) {
  const lanes = new Map(
    repositories.map((repository) => [repository.address, new Lane(spool, repository, onEvent)]),
  );
  const all = [...lanes.values()];
  const sweeping = new AbortController();
  const sweeper = sweep(spool, all, sweeping.signal);
  return {
    position: (address) => lanes.get(address)?.position,
    waitFor: async (address, systemId, lsn, signal2) => {
      const lane = lanes.get(address);
      if (!lane) throw new Error(`nothing is shipped to ${address}`);
      await lane.waitFor(systemId, lsn, signal2);
    },
    wake: () => {
      for (const lane of all) lane.wake();
    },
    stop: async () => {
      await Promise.all(all.map((lane) => lane.stop()));
      sweeping.abort();
      await sweeper;
    },
  };
}
var Lane = class {
  position;
  #spool;
  #repository;
  #onEvent;
  #done = /* @__PURE__ */ new Set();
  #ended = new AbortController();
  #running;
  /** How much of the open segments is there: one of each timeline. */
  #partials = /* @__PURE__ */ new Map();
  #wake = new AbortController();
  #waiting = [];
  #troubled = false;
  constructor(spool, repository, onEvent) {
    this.#spool = spool;
    this.#repository = repository;
    this.#onEvent = onEvent;
    this.#running = this.#run();
  }
  has(systemId, segment) {
    return this.#done.has(`${systemId}/${segment}`);
  }
  forget(systemId, segment) {
    this.#done.delete(`${systemId}/${segment}`);
  }
  wake() {
    this.#wake.abort();
  }
  async waitFor(systemId, lsn, signal2) {
    const wanted = parseLsn(lsn);
    for (;;) {
      signal2.throwIfAborted();
      const { position } = this;
      if (position?.systemId === systemId && parseLsn(position.lsn) >= wanted) return;
      this.wake();
      await new Promise((resolve2) => {
        this.#waiting.push(resolve2);
        signal2.addEventListener('abort', () => resolve2(), { once: true });
      });
    }
  }
  async stop() {
    this.#ended.abort();
    this.wake();
    await this.#running;
  }
  async #run() {
    let waitMs = FIRST_PAUSE_MS;
    for (;;) {
      const last = this.#ended.signal.aborted;
      this.#wake = new AbortController();
      let next = TURN_MS;
      try {
        await this.#turn();
        if (this.#troubled) this.#onEvent({ kind: 'well-again', address: this.#repository.address });
        this.#troubled = false;
        waitMs = FIRST_PAUSE_MS;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (!this.#troubled) {
          this.#onEvent({ kind: 'trouble', address: this.#repository.address, reason, problem: error });
        }
        this.#troubled = true;
        next = waitMs;
        waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS);
      }
      for (const resolve2 of this.#waiting.splice(0)) resolve2();
      if (last) return;
      const woken = this.#troubled
        ? this.#ended.signal
        : AbortSignal.any([this.#wake.signal, this.#ended.signal]);
      await pause3(next, void 0, { signal: woken }).catch(() => void 0);
    }
  }
  /** Everything that is there now, in its order. */
  async #turn() {
    for (const systemId of await readdir2(this.#spool).catch(() => [])) {
      const folder = join3(this.#spool, systemId);
      const names = await readdir2(folder).catch(() => []);
      names.sort();
      for (const name2 of names) {
        const timeline = HISTORY.exec(name2)?.[1];
        if (timeline !== void 0 && !this.has(systemId, name2)) {
          const content = await readFile3(join3(folder, name2));
          await this.#repository.putTimelineHistory(systemId, Number.parseInt(timeline, 16), content);
          this.#done.add(`${systemId}/${name2}`);
        }
        if (placeOf(name2)) await this.#whole(systemId, folder, name2);
      }
      for (const name2 of names) {
        const segment = name2.slice(0, 24);
        if (name2 === `${segment}.partial` && placeOf(segment)) await this.#part(systemId, folder, segment);
      }
    }
  }
  async #whole(systemId, folder, segment) {
    if (this.has(systemId, segment)) return;
    const content = await readFile3(join3(folder, segment)).catch(absent);
    if (!content) return;
    await this.#repository.putSegment({ systemId, segment }, content);
    this.#done.add(`${systemId}/${segment}`);
    this.#reached(systemId, segment, SEGMENT_BYTES2);
  }
  async #part(systemId, folder, segment) {
    const file = await open3(join3(folder, `${segment}.partial`), 'r').catch(absent);
    if (!file) return;
    try {
      const { size } = await file.stat();
      if (size === 0) return;
      const name2 = `${systemId}/${segment}`;
      let before = this.#partials.get(name2);
      if (before === void 0) {
        const stored = await this.#repository.getSegment({ systemId, segment });
        before = stored?.content.length ?? 0;
        this.#partials.set(name2, before);
        if (stored) this.#reached(systemId, segment, BigInt(before));
      }
      if (size <= before) return;
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size), position: 0 });
      await this.#repository.putPartialSegment({ systemId, segment }, buffer.subarray(0, bytesRead));
      this.#partials.set(name2, bytesRead);
      this.#reached(systemId, segment, BigInt(bytesRead));
    } finally {
      await file.close();
    }
  }
  #reached(systemId, segment, bytes) {
    const place = placeOf(segment);
    if (!place) return;
    const { timeline, start } = place;
    const { position } = this;
    if (position?.systemId === systemId && timeline < position.timeline) return;
    this.position = { systemId, timeline, lsn: formatLsn(start + bytes), at: /* @__PURE__ */ new Date() };
  }
};
async function sweep(spool, lanes, signal2) {
  while (!signal2.aborted) {
    for (const systemId of await readdir2(spool).catch(() => [])) {
      const segments = (await readdir2(join3(spool, systemId)).catch(() => [])).filter((name2) =>
        placeOf(name2),
      );
      for (const segment of segments) {
        if (!lanes.every((lane) => lane.has(systemId, segment))) continue;
        await rm3(join3(spool, systemId, segment), { force: true });
        for (const lane of lanes) lane.forget(systemId, segment);
      }
    }
    await pause3(TURN_MS, void 0, { signal: signal2 }).catch(() => void 0);
  }
}
function absent(error) {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return void 0;
  throw error instanceof Error
    ? new BackupProblem('unavailable', `The log on this machine cannot be read: ${error.message}.`, {
        cause: error,
      })
    : error;
}

// packages/backup/src/postgres/wal-receiver.ts
import { readFile as readFile5 } from 'node:fs/promises';
import { join as join7 } from 'node:path';
import { setTimeout as pause4 } from 'node:timers/promises';
import pg5 from 'pg';

// packages/backup/src/postgres/durable-file.ts
import { mkdir as mkdir2, open as open4, rename as rename3 } from 'node:fs/promises';
import { dirname as dirname3, join as join4 } from 'node:path';
async function writeDurably(folder, name2, content) {
  const unfinished = join4(folder, `${name2}.unfinished`);
  try {
    const file = await open4(unfinished, 'w', 384);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename3(unfinished, join4(folder, name2));
    await syncFolder2(folder);
  } catch (error) {
    throw diskProblem(join4(folder, name2), error);
  }
}
async function makeFolder2(path) {
  try {
    const made = await mkdir2(path, { recursive: true, mode: 448 });
    if (made !== void 0) await syncFolder2(dirname3(made));
    await syncFolder2(dirname3(path));
  } catch (error) {
    throw diskProblem(path, error);
  }
}
async function syncFolder2(path) {
  const folder = await open4(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
var FULL2 = /* @__PURE__ */ new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
function diskProblem(path, error) {
  if (error instanceof BackupProblem) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (FULL2.has(code)) {
    return new BackupProblem(
      'full',
      `${path} cannot be written: the disk is full (${code}). Make room there; then it goes on by itself.`,
      { object: path, cause: error },
    );
  }
  const words = error instanceof Error ? error.message : String(error);
  return new BackupProblem(
    'unavailable',
    `${path} cannot be written: ${words}. Check the disk and the rights of the folder; then it goes on by itself.`,
    { object: path, cause: error },
  );
}

// packages/backup/src/postgres/wal-file.ts
import { constants as constants2 } from 'node:fs';
import { open as open5, rename as rename4 } from 'node:fs/promises';
import { dirname as dirname4, join as join5 } from 'node:path';
var SIZE2 = Number(SEGMENT_BYTES2);
var PARTIAL = '.partial';
var WalFile = class _WalFile {
  segment;
  /** Once it is complete. */
  path;
  #start;
  #file;
  /** What is in the file from before, and has not come again yet. */
  #size;
  #written = 0;
  #synced = 0;
  #syncing;
  #failure;
  constructor(folder, segment, start, file, size) {
    this.path = join5(folder, segment);
    this.segment = segment;
    this.#start = start;
    this.#file = file;
    this.#size = size;
  }
  /** `trusted`: what is in the file may be taken for written; not after a sync of it has failed. */
  static async open(folder, { timeline, start, trusted }) {
    const segment = segmentAt(timeline, start);
    const path = join5(folder, `${segment}${PARTIAL}`);
    try {
      const file = await open5(path, constants2.O_RDWR | constants2.O_CREAT, 384);
      const { size } = await file.stat();
      if (size === 0) await syncFolder2(folder);
      return new _WalFile(folder, segment, start, file, trusted ? Math.min(size, SIZE2) : 0);
    } catch (error) {
      throw diskProblem(path, error);
    }
  }
  get end() {
    return this.#start + BigInt(this.#written);
  }
  /** All before it survives a crash of this machine. */
  get syncedEnd() {
    return this.#start + BigInt(this.#synced);
  }
  get full() {
    return this.#written === SIZE2;
  }
  /** A sync has failed: nobody can tell any more what of the file is on the disk. */
  get failed() {
    return this.#failure !== void 0;
  }
  /** Takes as much as fits; the number of bytes that it took. */
  async write(bytes) {
    const part = bytes.subarray(0, SIZE2 - this.#written);
    try {
      const same = await this.#compare(part);
      for (let done = same; done < part.length; ) {
        const { bytesWritten } = await this.#file.write(part, done, part.length - done, this.#written + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw diskProblem(this.path, error);
    }
    this.#written += part.length;
    return part.length;
  }
  /** How many of these bytes are in the file already. What follows a difference is of no log, and goes. */
  async #compare(part) {
    const known = Math.min(part.length, Math.max(this.#size - this.#written, 0));
    if (known === 0) return 0;
    const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(known), 0, known, this.#written);
    if (bytesRead === known && buffer.equals(part.subarray(0, known))) return known;
    await this.#file.truncate(this.#written);
    this.#size = this.#written;
    return 0;
  }
  /** Resolves when all that was written until now survives a crash of the machine. */
  async sync() {
    while (this.#syncing) await this.#syncing;
    if (this.#failure) throw this.#failure;
    if (this.#synced === this.#written) return;
    this.#syncing = this.#syncUpTo(this.#written);
    try {
      await this.#syncing;
    } finally {
      this.#syncing = void 0;
    }
  }
  async #syncUpTo(position) {
    try {
      await this.#file.datasync();
      this.#synced = position;
    } catch (error) {
      this.#failure = diskProblem(this.path, error);
      throw this.#failure;
    }
  }
  /** Under its own name from now on. */
  async complete() {
    await this.sync();
    try {
      await rename4(`${this.path}${PARTIAL}`, this.path);
      await syncFolder2(dirname4(this.path));
    } catch (error) {
      throw diskProblem(this.path, error);
    }
    await this.#file.close();
  }
  async close() {
    try {
      await this.sync();
    } finally {
      await this.#file.close();
    }
  }
};

// packages/backup/src/postgres/wal-progress.ts
import { readdir as readdir3, readFile as readFile4, stat as stat2 } from 'node:fs/promises';
import { join as join6 } from 'node:path';
import { z as z10 } from 'zod';
var NOTE = 'received.json';
var noteText = z10.record(z10.string().regex(/^\d+$/), z10.string());
async function readProgress(folder) {
  const progress = await readNote(folder);
  const names = await readdir3(folder);
  const reached = ({ timeline }, lsn) => {
    if (lsn > (progress.get(timeline) ?? 0n)) progress.set(timeline, lsn);
  };
  for (const name2 of names) {
    const place = placeOf(name2);
    if (place) reached(place, place.start + SEGMENT_BYTES2);
  }
  for (const name2 of names.filter((each) => each.endsWith(PARTIAL))) {
    const place = placeOf(name2.slice(0, -PARTIAL.length));
    if (!place) continue;
    const before = progress.get(place.timeline);
    if (before !== void 0 && place.start > before) continue;
    const { size } = await stat2(join6(folder, name2));
    reached(place, place.start + (BigInt(size) < SEGMENT_BYTES2 ? BigInt(size) : SEGMENT_BYTES2 - 1n));
  }
  return progress;
}
async function readNote(folder) {
  try {
    const noted = noteText.parse(JSON.parse(await readFile4(join6(folder, NOTE), 'utf8')));
    return new Map(Object.entries(noted).map(([timeline, lsn]) => [Number(timeline), parseLsn(lsn)]));
  } catch {
    return /* @__PURE__ */ new Map();
  }
}
async function writeProgress(folder, progress) {
  const noted = Object.fromEntries([...progress].map(([timeline, lsn]) => [timeline, formatLsn(lsn)]));
  await writeDurably(folder, NOTE, Buffer.from(JSON.stringify(noted)));
}
function continuation(progress, { timeline, steps }) {
  const branches = [...steps, { timeline }];
  for (const [index, branch] of [...branches.entries()].toReversed()) {
    const received = progress.get(branch.timeline);
    if (received === void 0) continue;
    const after = branches[index + 1];
    if (after && branch.until !== void 0 && received >= branch.until) {
      return { timeline: after.timeline, lsn: startOfSegment(branch.until) };
    }
    return { timeline: branch.timeline, lsn: startOfSegment(received) };
  }
  return void 0;
}

// packages/backup/src/postgres/wal-receiver.ts
var SYNC_EVERY_MS = 100;
var STATUS_EVERY_MS = 1e3;
var [ASK_AFTER_MS, SILENCE_MS] = [1e4, 4e4];
var [FIRST_PAUSE_MS2, LONGEST_PAUSE_MS2] = [200, 1e4];
var [WAL_DATA, KEEPALIVE, STATUS] = [119, 107, 114];
var WAL_HEAD_BYTES = 25;
var SERVER_EPOCH_MS = 9466848e5;
var LOG_REMOVED = '58P01';
var SLOT_LOST = '55000';
function startWalReceiver(options) {
  const receiver = new Receiver(options);
  const running = receiver.run();
  return {
    position: () => receiver.position(),
    stop: async () => {
      receiver.end();
      await running;
    },
  };
}
var Receiver = class {
  #options;
  #ended = new AbortController();
  #client;
  #stream;
  #systemId;
  #timeline = 0;
  #file;
  /** A segment of which a sync failed: it is written anew. */
  #distrusted;
  #received;
  #flushed;
  #server;
  #connected = false;
  #lastMessageAt;
  /** Why the connection was ended from our side: whoever reads it only hears that it did. */
  #fault;
  constructor(options) {
    this.#options = options;
  }
  position() {
    const text = (lsn) => (lsn === void 0 ? void 0 : formatLsn(lsn));
    return {
      systemId: this.#systemId,
      timeline: this.#timeline,
      receivedLsn: text(this.#received),
      flushedLsn: text(this.#flushed),
      serverLsn: text(this.#server),
      connected: this.#connected,
      lastMessageAt: this.#lastMessageAt,
    };
  }
  end() {
    this.#ended.abort();
    this.#disconnect();
  }
  async run() {
    const { onEvent } = this.#options;
    const { signal: signal2 } = this.#ended;
    let waitMs = FIRST_PAUSE_MS2;
    while (!signal2.aborted) {
      const begun = Date.now();
      const before = this.#flushed ?? 0n;
      const failure = await this.#session().then(
        () => void 0,
        (error) => error,
      );
      const reason = (await this.#leave()) ?? failure;
      if (signal2.aborted) return;
      const worked = (this.#flushed ?? 0n) > before || Date.now() - begun > LONGEST_PAUSE_MS2;
      if (worked) waitMs = FIRST_PAUSE_MS2;
      onEvent({ kind: 'disconnected', reason: reason instanceof Error ? reason.message : String(reason) });
      await pause4(waitMs, void 0, { signal: signal2 }).catch(() => void 0);
      waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS2);
    }
  }
  /** What is at work is ended; what was received is on the disk. What went wrong on our side before or with that comes back. */
  async #leave() {
    this.#connected = false;
    this.#disconnect();
    await this.#leaveFile().catch((error) => {
      this.#fault ??= error;
    });
    const fault = this.#fault;
    this.#fault = void 0;
    return fault;
  }
  #disconnect() {
    const client = this.#client;
    this.#client = void 0;
    void client?.end().catch(() => void 0);
  }
  async #leaveFile() {
    const file = this.#file;
    this.#file = void 0;
    if (!file) return;
    try {
      await file.close();
      if (!file.full) this.#flushed = file.syncedEnd;
    } finally {
      if (file.failed) this.#distrusted = file.segment;
    }
  }
  /** From a connection to its end: it always rejects with the reason. */
  async #session() {
    const { connectionString, spool } = this.#options;
    const client = await connectForReplication(connectionString);
    this.#client = client;
    const watch = this.#watch();
    try {
      this.#ended.signal.throwIfAborted();
      const identity2 = await identify(client);
      const folder = join7(spool, identity2.systemId);
      await makeFolder2(folder);
      const session = { ...identity2, client, folder, progress: await readProgress(folder) };
      this.#systemId = identity2.systemId;
      this.#server = parseLsn(identity2.flushedLsn);
      for (let next = await this.#begin(session); ; ) next = await this.#receive(session, next);
    } finally {
      clearInterval(watch);
    }
  }
  async #begin(session) {
    const { client, timeline, flushedLsn, progress, folder } = session;
    const steps = timeline > 1 ? await this.#history(session, timeline) : [];
    const kept = await ensureSlot(client, this.#options.slot);
    const received = progress.get(timeline);
    if (received !== void 0 && received > parseLsn(flushedLsn)) {
      throw new BackupProblem(
        'foreign',
        `The server's log ends at ${flushedLsn}, and ${formatLsn(received)} was received of it before: its data folder was put back without a restore, and what it writes now would replace what is kept. Restore it with calculaud restore, which begins a timeline of its own.`,
        { object: folder },
      );
    }
    return continuation(progress, { timeline, steps }) ?? { timeline, lsn: startOfSegment(kept) };
  }
  /** Keeps the history of the timeline, and tells which ones led to it. */
  async #history({ client, folder, systemId }, timeline) {
    const content = await timelineHistory(client, timeline);
    const name2 = historyName(timeline);
    const path = join7(folder, name2);
    const before = await readFile5(path).catch(() => void 0);
    if (before && !before.equals(content)) {
      throw new BackupProblem(
        'foreign',
        `The server is on a timeline ${timeline} that began elsewhere than the one of that number in ${path}: two restores have taken the same number. Their logs are not mixed. Restore once more with calculaud restore, which begins a timeline of its own.`,
        { object: path },
      );
    }
    if (!before) {
      await writeDurably(folder, name2, content);
      this.#options.onEvent({ kind: 'history', systemId, timeline, path });
    }
    return parseHistory(content.toString('utf8'));
  }
  /** Receives until the timeline ends, then tells where the next one begins; rejects when the connection ends. */
  async #receive(session, from) {
    const { client } = session;
    this.#timeline = from.timeline;
    this.#received = from.lsn;
    this.#flushed = from.lsn;
    const stream = new CopyStream(
      `START_REPLICATION SLOT ${named(this.#options.slot)} PHYSICAL ${formatLsn(from.lsn)} TIMELINE ${from.timeline}`,
      { onStart: () => this.#started() },
    );
    this.#stream = stream;
    client.query(stream);
    try {
      for await (const message of stream.messages()) {
        this.#lastMessageAt = /* @__PURE__ */ new Date();
        if (message[0] === WAL_DATA) await this.#take(session, message);
        else if (message[0] === KEEPALIVE) {
          this.#server = message.readBigUInt64BE(1);
          if (message[17] === 1) this.#tell();
        }
      }
    } catch (error) {
      if (!(error instanceof pg5.DatabaseError)) throw error;
      if (error.code === LOG_REMOVED) return await this.#skipGap(session, from, error.message);
      if (error.code === SLOT_LOST) await dropSlot(client, this.#options.slot).catch(() => void 0);
      throw error;
    } finally {
      this.#stream = void 0;
    }
    const [timeline, lsn] = stream.rows[0] ?? [];
    if (!timeline || !lsn) {
      throw new BackupProblem('unavailable', 'The server ended the connection: it is shutting down.');
    }
    await this.#leaveFile();
    await this.#history(session, Number(timeline));
    return { timeline: Number(timeline), lsn: startOfSegment(parseLsn(lsn)) };
  }
  #started() {
    this.#connected = true;
    this.#options.onEvent({ kind: 'connected' });
    this.#tell({ ask: true });
  }
  /** Syncs and reports on a timer, and ends a connection on which nothing comes any more. */
  #watch() {
    let [told2, heard, syncing] = [0, Date.now(), false];
    const turn = async () => {
      const now = Date.now();
      heard = Math.max(heard, this.#lastMessageAt?.getTime() ?? 0);
      if (now - heard > SILENCE_MS) {
        throw new BackupProblem('unavailable', 'The server has not answered for 40 seconds.');
      }
      const before = this.#flushed;
      const file = this.#file;
      await file?.sync();
      if (file && file === this.#file && !file.full) this.#flushed = file.syncedEnd;
      if (this.#flushed === before && now - told2 < STATUS_EVERY_MS) return;
      told2 = now;
      this.#tell({ ask: now - heard > ASK_AFTER_MS });
    };
    return setInterval(() => {
      if (syncing) return;
      syncing = true;
      turn()
        .catch((error) => {
          this.#fault ??= error;
          this.#disconnect();
        })
        .finally(() => {
          syncing = false;
        });
    }, SYNC_EVERY_MS);
  }
  async #take(session, message) {
    const start = message.readBigUInt64BE(1);
    this.#server = message.readBigUInt64BE(9);
    if (start !== this.#received) {
      throw new BackupProblem(
        'missing',
        `The server sent its log from ${formatLsn(start)} on, where ${formatLsn(this.#received ?? 0n)} was to come. It is asked again.`,
      );
    }
    for (let bytes = message.subarray(WAL_HEAD_BYTES); bytes.length > 0; ) {
      const file = await this.#open(session.folder, this.#received);
      bytes = bytes.subarray(await file.write(bytes));
      this.#received = file.end;
      if (file.full) await this.#complete(session, file);
    }
  }
  async #open(folder, start) {
    if (this.#file) return this.#file;
    const [timeline, segment] = [this.#timeline, segmentAt(this.#timeline, start)];
    const file = await WalFile.open(folder, { timeline, start, trusted: segment !== this.#distrusted });
    this.#file = file;
    return file;
  }
  async #complete({ folder, systemId, progress }, file) {
    await file.complete();
    this.#file = void 0;
    this.#distrusted = void 0;
    this.#options.onEvent({ kind: 'segment', systemId, segment: file.segment, path: file.path });
    progress.set(this.#timeline, file.end);
    await writeProgress(folder, progress);
    this.#flushed = file.end;
  }
  /** What the server may forget: only what is on our disk. */
  #tell({ ask = false } = {}) {
    if (this.#flushed === void 0 || !this.#connected) return;
    const status = Buffer.alloc(34);
    status[0] = STATUS;
    status.writeBigUInt64BE(this.#received ?? this.#flushed, 1);
    status.writeBigUInt64BE(this.#flushed, 9);
    status.writeBigInt64BE(BigInt(Date.now() - SERVER_EPOCH_MS) * 1000n, 25);
    status[33] = ask ? 1 : 0;
    this.#stream?.send(status);
  }
  /** The server has no longer what would come next. Nobody can bring it back; that it is missing must be known. */
  async #skipGap(session, from, reason) {
    const { client, folder, systemId, progress } = session;
    await this.#leaveFile();
    const next = {
      timeline: session.timeline,
      lsn: startOfSegment(await renewSlot(client, this.#options.slot)),
    };
    const reached = progress.get(from.timeline) ?? 0n;
    const lost = reached > from.lsn ? reached : from.lsn;
    if (next.lsn > lost) {
      this.#options.onEvent({
        kind: 'gap',
        gap: {
          systemId,
          timeline: from.timeline,
          fromLsn: formatLsn(lost),
          toLsn: formatLsn(next.lsn),
          noticedAt: /* @__PURE__ */ new Date().toISOString(),
          reason,
        },
      });
    }
    progress.set(next.timeline, next.lsn);
    await writeProgress(folder, progress);
    return next;
  }
};
async function ensureSlot(client, slot) {
  const { lsn } = await readSlot(client, slot);
  return lsn === null ? await renewSlot(client, slot) : parseLsn(lsn);
}
async function renewSlot(client, slot) {
  const { exists } = await readSlot(client, slot);
  if (exists) await dropSlot(client, slot);
  await createSlot(client, slot);
  const { lsn } = await readSlot(client, slot);
  if (lsn !== null) return parseLsn(lsn);
  throw new BackupProblem(
    'unavailable',
    `The server keeps no log for the slot ${slot}. Look into its own log for why.`,
  );
}

// e2e/backup/scratch-base.ts
var root = '/tmp/cmpx/d';
var data = join8(root, 'data');
var s = await startServer(data, join8(root, 's'));
var only = process.argv[2];
var signal = new AbortController().signal;
var keys = (await readKeyRing('/tmp/cmpx/keys')) ?? newKeyRing();
await writeKeyRing('/tmp/cmpx/keys', keys);
async function ours(dir) {
  const repository = await createRepository(await openFolderStore(dir), keys);
  const spool = join8(root, 'spool');
  const shipping = startShipping({ spool, repositories: [repository], onEvent: () => void 0 });
  const receiver = startWalReceiver({
    connectionString: s.connectionString,
    slot: 'calculaud_wal',
    spool,
    onEvent: () => shipping.wake(),
  });
  await pause5(500);
  const cpu = process.cpuUsage();
  const a = performance.now();
  const m = await createBackup({
    repository,
    connectionString: s.connectionString,
    reason: 'requested',
    appVersion: '0',
    waitForWal: async (id, lsn) => shipping.waitFor(repository.address, id, lsn, signal),
    signal,
  });
  const ms = performance.now() - a;
  const u = process.cpuUsage(cpu);
  await receiver.stop();
  await shipping.stop();
  return { ms, cpu: (u.user + u.system) / 1e3, bytes: m.bytes };
}
var pgb = async (...args) => {
  rmSync(join8(root, 'pgb'), { recursive: true, force: true });
  const a = performance.now();
  await asServer(program('pg_basebackup'), [
    '-h',
    join8(root, 's'),
    '-U',
    'postgres',
    '-D',
    join8(root, 'pgb'),
    '--checkpoint=fast',
    ...args,
  ]);
  return performance.now() - a;
};
for (let i = 0; i < Number(process.env.N ?? 3); i++) {
  if (!only || only === 'all')
    for (const args of [
      [],
      ['-Ft'],
      ['--manifest-checksums=SHA256'],
      ['-Ft', '--compress=client-gzip:1', '--manifest-checksums=SHA256'],
    ])
      console.log('pg_basebackup', args.join(' '), Math.round(await pgb(...args)));
  if (only !== 'second') rmSync(join8(root, 'repo'), { recursive: true, force: true });
  if (only !== 'second') console.log('first', await ours(join8(root, 'repo')));
  console.log('second', await ours(join8(root, 'repo')));
}
await s.stop();
