import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../host/cluster.ts';
import type { Service } from '../host/docker-answers.ts';
import type { LogChoice } from '../host/docker-api.ts';
import type { LogLine } from '../host/docker-logs.ts';
import { stackName } from '../stack/names.ts';
import { Interleaver } from './interleaver.ts';
import { Whereabouts } from './whereabouts.ts';

/** A line with where it was written. */
export interface ShownLine {
  readonly at: string;
  /** Such as `api-blue`. */
  readonly service: string;
  /** Such as `api-blue.1`. */
  readonly instance: string;
  readonly task: string;
  readonly host: string;
  readonly stream: LogLine['stream'];
  readonly text: string;
}

export interface Listener {
  readonly line: (line: ShownLine) => void;
  /** A part of the logs that could not be had, and why. */
  readonly gap: (service: string, why: string) => void;
}

const EMIT_EVERY_MS = 200;
const LOOK_FOR_NEW_ONES_EVERY_MS = 2000;

type FoundLine = LogLine & { readonly service: string };

/**
 * The logs of the services that are wanted, across replicas and hosts, in the order in which they were written. When they
 * are followed, services that come later (the other colour of a deployment) come along.
 */
export async function readLogs(
  cluster: Cluster,
  isWanted: (service: string) => boolean,
  choice: LogChoice,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  const { api } = cluster.manager;
  const lines = new Interleaver<FoundLine>();
  const whereabouts = new Whereabouts(cluster);
  const reading = new Map<string, Promise<void>>();

  const read = async ({ ID, Spec }: Service, chosen: LogChoice): Promise<void> => {
    const service = shortName(cluster, Spec.Name);
    try {
      for await (const found of api.serviceLogs(ID, chosen, signal)) {
        if ('complaint' in found) listener.gap(service, found.complaint);
        else lines.add({ ...found, service }, performance.now());
      }
    } catch (error) {
      if (!signal.aborted) listener.gap(service, error instanceof Error ? error.message : String(error));
    }
    if (chosen.follow) reading.delete(ID);
  };
  const readAll = async (chosen: LogChoice): Promise<void> => {
    for (const service of await cluster.services()) {
      if (reading.has(service.ID) || !isWanted(shortName(cluster, service.Spec.Name))) continue;
      reading.set(service.ID, read(service, chosen));
    }
  };
  const show = async (ready: readonly FoundLine[]): Promise<void> => {
    for (const { task, node, service, ...line } of ready) {
      const { slot, host } = await whereabouts.of(task, node);
      listener.line({ ...line, service, task, host, instance: slot ? `${service}.${slot}` : service });
    }
  };

  await readAll(choice);
  if (!choice.follow) {
    await Promise.all(reading.values());
    return show(lines.rest());
  }
  let lookedAt = performance.now();
  while (!signal.aborted) {
    await pause(EMIT_EVERY_MS, undefined, { signal }).catch(() => undefined);
    await show(lines.ripe(performance.now()));
    if (performance.now() - lookedAt < LOOK_FOR_NEW_ONES_EVERY_MS) continue;
    const since = new Date(Date.now() - (performance.now() - lookedAt));
    // A manager that is away for a moment was told of by the streams that it broke.
    await readAll({ follow: true, tail: 'all', since }).catch(() => undefined);
    lookedAt = performance.now();
  }
  await show(lines.rest());
}

export function shortName({ config }: Cluster, service: string): string {
  return service.slice(stackName(config).length + 1);
}
