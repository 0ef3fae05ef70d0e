import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** The environment in which `docker build` is the classic builder. */
export const classicBuilder: Readonly<Record<string, string>> = { DOCKER_BUILDKIT: '0' };

/**
 * The environment in which `docker build` is BuildKit: with the plugin buildx, or with a client from before it became one
 * (up to 20.10, as Debian has it). `folder` is for a client that does not come first on the path. Undefined: there is none.
 */
export function buildKit(folder: string): Readonly<Record<string, string>> | undefined {
  const on = { DOCKER_BUILDKIT: '1' };
  if (succeeds('docker', 'buildx', 'version')) return on;
  const client = ['docker', '/usr/bin/docker'].find((program) => {
    const version = output(program, 'version', '--format', '{{.Client.Version}}');
    return version !== undefined && Number.parseInt(version, 10) < 23;
  });
  if (client === undefined) return undefined;
  if (client === 'docker') return on;
  mkdirSync(folder, { recursive: true });
  symlinkSync(client, join(folder, 'docker'));
  return { ...on, PATH: `${folder}:${process.env['PATH']}` };
}

function succeeds(program: string, ...args: string[]): boolean {
  return output(program, ...args) !== undefined;
}

function output(program: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}
