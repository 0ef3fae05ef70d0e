import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFolderStore } from './folder-store.ts';
import { keysOf } from './testing/stores.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-folder-store-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

test('nobody but its owner can read what is in a folder', async () => {
  const root = join(folder, 'private');
  const store = await openFolderStore(root);
  await store.put('chunks/aa/one', Buffer.from('x'));
  const modes = await Promise.all(
    ['', 'chunks', 'chunks/aa', 'chunks/aa/one'].map(
      async (path) => (await stat(join(root, path))).mode & 0o777,
    ),
  );
  expect(modes).toEqual([0o700, 0o700, 0o700, 0o600]);
});

test('a writer that is killed leaves whole objects, all that it told of, and nothing that is taken for one', async () => {
  const root = join(folder, 'killed');
  const program = fileURLToPath(new URL('./testing/write-until-killed.ts', import.meta.url));
  for (const lines of [3, 9, 20]) {
    await rm(root, { recursive: true, force: true });
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program, root], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const told: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      told.push(line);
      if (told.length === lines) child.kill('SIGKILL');
    }
    if (child.signalCode === null && child.exitCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    const store = await openFolderStore(root);
    const keys = await keysOf(store, 'objects/');
    expect(keys).toEqual(expect.arrayContaining(told.map((number) => `objects/${number}`)));
    for (const key of keys) {
      const content = await store.get(key);
      const digest = createHash('sha256')
        .update(content?.subarray(32) ?? '')
        .digest();
      expect(content?.subarray(0, 32).equals(digest)).toBe(true);
    }
  }
}, 60_000);

test('what a killed writer left half written is removed a day later', async () => {
  const root = join(folder, 'left');
  const store = await openFolderStore(root);
  await store.put('objects/one', Buffer.from('x'));
  const left = ['.unfinished-0123456789ab', '.unfinished-ba9876543210'].map((name) =>
    join(root, 'objects', name),
  );
  for (const path of left) await writeFile(path, 'half');
  const yesterday = new Date(Date.now() - 25 * 60 * 60 * 1000);
  await utimes(left[0] ?? '', yesterday, yesterday);
  expect(await keysOf(store, 'objects/')).toEqual(['objects/one']);
  expect((await readdir(join(root, 'objects'))).toSorted()).toEqual(['.unfinished-ba9876543210', 'one']);
});

test('a folder whose parent is not there is not made', async () => {
  await expect(openFolderStore(join(folder, 'not/there'))).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('Is the disk mounted'),
  });
});

test('a file is no folder, and a link that leads nowhere neither', async () => {
  await writeFile(join(folder, 'file'), '');
  await symlink(join(folder, 'gone'), join(folder, 'link'));
  await expect(openFolderStore(join(folder, 'file'))).rejects.toMatchObject({ kind: 'unavailable' });
  await expect(openFolderStore(join(folder, 'link'))).rejects.toMatchObject({ kind: 'unavailable' });
});

test('a folder that vanished has not lost its objects: it is unavailable', async () => {
  const root = join(folder, 'vanished');
  const store = await openFolderStore(root);
  await store.put('one', Buffer.from('x'));
  await rm(root, { recursive: true });
  const gone = { kind: 'unavailable' };
  await expect(store.get('one')).rejects.toMatchObject(gone);
  await expect(store.put('two', Buffer.from('x'))).rejects.toMatchObject(gone);
  await expect(store.delete('one')).rejects.toMatchObject(gone);
  await expect(keysOf(store, 'any/')).rejects.toMatchObject(gone);
});

test('folders inside that somebody removed are made again', async () => {
  const root = join(folder, 'tidied');
  const store = await openFolderStore(root);
  await store.put('a/b/one', Buffer.from('x'));
  await rm(join(root, 'a'), { recursive: true });
  await store.put('a/b/two', Buffer.from('y'));
  expect(await keysOf(store, 'a/')).toEqual(['a/b/two']);
});

const mounts = canMount();
if (!mounts)
  process.stderr.write('Full, locked and unmounted disks are not tested: only root can mount some here.\n');

describe.skipIf(!mounts)('a disk', () => {
  const mount = (...options: string[]) => {
    const { status, stderr } = spawnSync('sh', ['-c', 'mount "$@"', 'mount', ...options], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
  };
  const unmount = (path: string) => spawnSync('sh', ['-c', 'umount "$1"', 'umount', path]);

  test('that may not be written says so', async () => {
    const root = join(folder, 'locked');
    await mkdir(root);
    mount('-t', 'tmpfs', '-o', 'ro', 'tmpfs', root);
    try {
      await expect(openFolderStore(root)).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringContaining('may this user write there'),
      });
    } finally {
      unmount(root);
    }
  });

  test('that is full says so, keeps what it has, and takes more once there is room', async () => {
    const root = join(folder, 'full');
    await mkdir(root);
    mount('-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', root);
    try {
      const store = await openFolderStore(root);
      const content = randomBytes(1_200_000);
      await store.put('objects/one', content);
      await expect(store.put('objects/two', content, { ifAbsent: true })).rejects.toMatchObject({
        kind: 'full',
        object: 'objects/two',
        message: expect.stringContaining('Make room'),
      });
      expect(await readdir(join(root, 'objects'))).toEqual(['one']);
      expect((await store.get('objects/one'))?.equals(content)).toBe(true);
      await store.delete('objects/one');
      expect(await store.put('objects/two', content, { ifAbsent: true })).toBe(true);
    } finally {
      unmount(root);
    }
  });

  test('that is not mounted any more is unavailable, takes nothing, and serves again once it is', async () => {
    const [disk, root] = [join(folder, 'disk'), join(folder, 'mounted')];
    await mkdir(disk);
    await mkdir(root);
    mount('--bind', disk, root);
    try {
      const store = await openFolderStore(root);
      await store.put('objects/one', Buffer.from('x'));
      unmount(root);
      const gone = { kind: 'unavailable', message: expect.stringContaining('Is the disk mounted') };
      await expect(store.get('objects/one')).rejects.toMatchObject(gone);
      await expect(store.put('objects/two', Buffer.from('x'))).rejects.toMatchObject(gone);
      await expect(store.delete('objects/one')).rejects.toMatchObject(gone);
      await expect(keysOf(store, 'objects/')).rejects.toMatchObject(gone);
      expect(await readdir(root)).toEqual([]);
      mount('--bind', disk, root);
      await store.put('objects/two', Buffer.from('y'));
      expect(await keysOf(store, 'objects/')).toEqual(['objects/one', 'objects/two']);
    } finally {
      unmount(root);
    }
  });

  test('that became read-only still gives what it has', async () => {
    const root = join(folder, 'read-only');
    const store = await openFolderStore(root);
    await store.put('one', Buffer.from('x'));
    mount('--bind', root, root);
    mount('-o', 'remount,ro,bind', root);
    try {
      expect(String(await store.get('one'))).toBe('x');
      await expect(store.put('two', Buffer.from('x'))).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringContaining('EROFS'),
      });
      await expect(openFolderStore(root)).rejects.toMatchObject({ kind: 'unavailable' });
    } finally {
      unmount(root);
    }
  });
});

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const probe = join(tmpdir(), `calculaud-mount-${randomBytes(4).toString('hex')}`);
  const script =
    'mkdir "$0" && mount -t tmpfs tmpfs "$0" && umount "$0"; status=$?; rmdir "$0"; exit $status';
  return spawnSync('sh', ['-c', script, probe]).status === 0;
}
