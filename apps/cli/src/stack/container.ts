import type { EnvironmentConfig } from '../environment/schema.ts';
import type { ComposeDeploy, ComposeMount, ComposeService, MountedFile } from './compose.ts';
import { fullSecretName, type SecretName } from './names.ts';

/**
 * What holds for every container of ours: an ordinary user, nothing of the image can be written, no capability, a limit on
 * its log. `security_opt: no-new-privileges` is left out because Swarm has no such thing (the client ignores it): without
 * any capability in its bounding set, a container gains nothing from a setuid program, and the daemon can add the flag for
 * all of them (docs/operations/environments.md).
 */
export function hardened(user: number): Pick<ComposeService, 'user' | 'read_only' | 'cap_drop' | 'logging'> {
  return {
    user: `${user}:${user}`,
    read_only: true,
    cap_drop: ['ALL'],
    logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '5' } },
  };
}

type PartName = keyof EnvironmentConfig['resources'];

/** Threads count as processes here. */
const PROCESSES = 512;

export function bounded(
  { resources }: EnvironmentConfig,
  part: PartName,
): ComposeService['deploy']['resources'] {
  const { limits, reservations } = resources[part];
  return {
    limits: { cpus: String(limits.cpus), memory: limits.memory, pids: PROCESSES },
    reservations: { cpus: String(reservations.cpus), memory: reservations.memory },
  };
}

export function memory(megabytes: number): number {
  return megabytes * 1024 * 1024;
}

export function scratch(target: string, megabytes: number): ComposeMount {
  return { type: 'tmpfs', target, tmpfs: { size: memory(megabytes) } };
}

/** One by one: the new container has to be healthy before the old one goes, and to stay so for a while. */
export function startFirst(monitor: string): Pick<ComposeDeploy, 'update_config' | 'rollback_config'> {
  return {
    update_config: { parallelism: 1, order: 'start-first', failure_action: 'rollback', monitor },
    // Back at once, all of them.
    rollback_config: { parallelism: 0, order: 'start-first', failure_action: 'pause', monitor },
  };
}

/** For what cannot be there twice: a volume, a port of the host. */
export function stopFirst(
  monitor: string,
  failure_action: 'rollback' | 'pause',
): Pick<ComposeDeploy, 'update_config' | 'rollback_config'> {
  return {
    update_config: { parallelism: 1, order: 'stop-first', failure_action, monitor },
    rollback_config: { parallelism: 1, order: 'stop-first', failure_action: 'pause', monitor },
  };
}

/** Files below /run/secrets that only this user may read. */
export function secretFiles(secrets: readonly SecretName[], user: number): readonly MountedFile[] {
  return secrets.map((secret) => ({
    source: secret,
    target: secret,
    uid: String(user),
    gid: String(user),
    mode: 0o400,
  }));
}

export function secretPath(secret: SecretName): string {
  return `/run/secrets/${secret}`;
}

/** The secrets that services mention, as the stack file lists them. */
export function externalSecrets(
  config: EnvironmentConfig,
  services: readonly ComposeService[],
  known: readonly SecretName[],
  versions: Readonly<Partial<Record<string, number>>>,
): Record<string, { external: true; name: string }> {
  const used = new Set(services.flatMap(({ secrets = [] }) => secrets.map(({ source }) => source)));
  return Object.fromEntries(
    known
      .filter((secret) => used.has(secret))
      .map((secret) => [secret, { external: true, name: fullSecretName(config, secret, versions) }]),
  );
}
