import { spawnSync } from 'node:child_process';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IMAGES } from '../../scripts/image/images.ts';
import { repository } from '../system.ts';
import { baseImage } from './base-images/build.ts';
import { images } from './images.ts';

/** Builds the product's images as `npm run image` does, on stand-ins for their bases, and without a network. */
export function buildProductImages(host: string): void {
  const npmCache = join(homedir(), '.cache', 'calculaud', 'npm-image');
  build(host, 'app', [
    '--npm-cache',
    npmCache,
    '--base',
    `NODE_IMAGE=${baseImage('node')}`,
    '--base',
    `DEBIAN_IMAGE=${baseImage('debian')}`,
  ]);
  build(host, 'gateway', ['--base', `BASE=${baseImage('haproxy')}`]);
  build(host, 'pooler', ['--base', `BASE=${baseImage('pgbouncer')}`]);
  build(host, 'storage', ['--base', `BASE=${baseImage('s3')}`]);
}

function build(host: string, name: keyof typeof IMAGES, options: readonly string[]): void {
  console.log(`Building ${images[name]} …`);
  const out = ['--tag', images[name], '--out', join(tmpdir(), 'calculaud-test-image')];
  const args = ['--import', 'tsx', 'scripts/image.ts', name, ...out, ...options];
  const { status, stderr, stdout } = spawnSync(process.execPath, args, {
    cwd: repository,
    env: { ...process.env, DOCKER_HOST: host },
    encoding: 'utf8',
    maxBuffer: 100e6,
  });
  if (status !== 0) throw new Error(`${images[name]} could not be built:\n${stderr.slice(-10_000)}`);
  console.log(stdout.trim());
}
