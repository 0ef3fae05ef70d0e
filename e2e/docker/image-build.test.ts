import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { full, repository } from '../system.ts';
import { baseImage } from './base-images/build.ts';
import { type DockerDaemon, dockerDaemon } from './daemon.ts';
import { docker } from './docker-command.ts';
import { buildKit, classicBuilder } from './image-builders.ts';
import { treeOf } from './image-tree.ts';

let daemon: DockerDaemon;
beforeAll(async () => {
  daemon = await dockerDaemon();
  process.env['DOCKER_HOST'] = daemon.host;
});
afterAll(async () => {
  await daemon.stop();
});

describe('a build', () => {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-image-test-'));
  const tags: string[] = [];
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await docker(daemon.host, 'image', 'rm', ...tags);
  });
  const bases = [`NODE_IMAGE=${baseImage('node')}`, `DEBIAN_IMAGE=${baseImage('debian')}`];
  const npmCache = join(homedir(), '.cache', 'calculaud', 'npm-image');
  const modern = buildKit(join(folder, 'bin'));

  /** A commit in a folder of its own, as somebody else would check it out. */
  async function checkout(from: string, name: string, umask: string): Promise<string> {
    const path = join(folder, name);
    const clone = `umask ${umask} && git clone --quiet --depth=1 "file://$0" "$1" && ln -s "$2" "$1"/node_modules`;
    await promisify(execFile)('sh', ['-c', clone, from, path, join(repository, 'node_modules')]);
    return path;
  }

  async function build(
    path: string,
    tag: string,
    environment: Readonly<Record<string, string>>,
    ...options: readonly string[]
  ): Promise<readonly string[]> {
    tags.push(tag);
    const base = bases.flatMap((name) => ['--base', name]);
    const args = ['--tag', tag, '--out', join(folder, 'out'), '--npm-cache', npmCache, ...base, ...options];
    await promisify(execFile)(process.execPath, ['--import', 'tsx', 'scripts/image.ts', ...args], {
      cwd: path,
      env: { ...process.env, ...environment },
      maxBuffer: 100e6,
    });
    return treeOf(daemon.host, tag);
  }

  test('of one commit gives the same files, whichever builder makes it, where and when', async () => {
    const checkedOut = await checkout(repository, 'checkout', '022');
    const expected = await build(checkedOut, 'calculaud:test-classic', classicBuilder);
    const layers = new Set<string>();
    for (const umask of full ? ['077', '002'] : ['077']) {
      const tag = `calculaud:test-${umask}`;
      const other = await checkout(checkedOut, umask, umask);
      const files = await build(other, tag, modern ?? classicBuilder, '--no-cache');
      expect(files.filter((line) => !expected.includes(line))).toEqual([]);
      expect(files).toEqual(expected);
      layers.add(await docker(daemon.host, 'image', 'inspect', '--format', '{{json .RootFS.Layers}}', tag));
    }
    // BuildKit makes the layers themselves the same, bit by bit.
    expect(modern && layers.size).toBe(modern && 1);
  });
});
