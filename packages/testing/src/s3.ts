import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { S3_BINARY } from './s3-binary.ts';

const BUCKET = 'calculaud-files';
const ACCESS_KEY = 'test-access-key';
const SECRET_KEY = 'test-secret-key';
/** It takes about 100 ms; on a machine that is busy with other tests, longer. */
const START_MS = 15_000;

export interface S3Server {
  /** The settings of a server that keeps its files here. */
  readonly environment: Readonly<Record<string, string>>;
  /** The keys of all objects in the bucket. */
  keys(): string[];
  /** As a network or a power failure would have it. */
  stop(): Promise<void>;
  /** At the same address, with the same objects. */
  start(): Promise<void>;
  /** Stops it and removes its objects. */
  remove(): Promise<void>;
}

/** An S3 server of its own with one empty bucket. */
export async function startS3(): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-test-s3-'));
  const bucket = join(folder, 'objects', BUCKET);
  mkdirSync(bucket, { recursive: true });
  mkdirSync(join(folder, 'metadata'));
  const port = await freePort();
  let server: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const options = [
      '--quiet',
      '--access',
      ACCESS_KEY,
      '--secret',
      SECRET_KEY,
      '--port',
      `127.0.0.1:${port}`,
    ];
    // Its notes beside the objects: not every file system takes them as attributes.
    const backend = ['posix', '--sidecar', join(folder, 'metadata'), join(folder, 'objects')];
    server = spawn(S3_BINARY, [...options, ...backend], { stdio: 'ignore' });
    await once(server, 'spawn');
    await answers(port, server);
  };
  const stop = async (): Promise<void> => {
    if (server === undefined) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    server = undefined;
  };

  await start();
  return {
    environment: {
      CALCULAUD_FILES: 's3',
      S3_BUCKET_NAME: BUCKET,
      S3_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
    },
    keys: () =>
      readdirSync(bucket, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(bucket.length + 1)),
    start,
    stop,
    remove: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return address.port;
}

async function answers(port: number, server: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    // Any answer will do: this one is a refusal, as nothing is signed.
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (response) return;
    if (server.exitCode !== null || performance.now() > deadline) {
      throw new Error(`The S3 server did not start (exit code ${server.exitCode})`);
    }
    await pause(20);
  }
}
