import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Config } from '../host/docker-answers.ts';
import type { DockerApi } from '../host/docker-api.ts';
import { DockerError, isOutOfSequence } from '../host/docker-error.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import { type DeploymentRecord, deploymentRecordSchema, emptyRecord } from './record.ts';
import { labelsOf, objectName } from './objects.ts';

/** The record as it was at one moment. */
export interface Snapshot {
  readonly record: DeploymentRecord;
  /** Changes with every write; what a contender watches. */
  readonly version: number;
  /** Undefined as long as nobody has written one. */
  readonly stored: { readonly config: Config; readonly write: string } | undefined;
}

/** Where the record of a stack is kept: a config of the Swarm, whose labels change by compare-and-swap. */
export interface Register {
  readonly api: DockerApi;
  readonly stack: string;
  readonly read: (signal?: AbortSignal) => Promise<Snapshot>;
  /**
   * Writes the record in place of what the snapshot shows; `mark` names the write, so that repeating it after an answer
   * was lost finds that it is done. `applied` is false when somebody else wrote first. `now` is what is there afterwards.
   */
  readonly swap: (
    from: Snapshot,
    record: DeploymentRecord,
    mark: string,
    signal?: AbortSignal,
  ) => Promise<{ readonly applied: boolean; readonly now: Snapshot }>;
}

const LABEL = 'calculaud.state';
/** The store takes 4 MB in one message; a record is a few kilobytes, and grows only by a fault. */
const LARGEST_RECORD = 1_000_000;

export function newMark(): string {
  return randomUUID();
}

export function openRegister(api: DockerApi, stack: string): Register {
  const name = objectName(stack, 'state');

  const read = async (signal?: AbortSignal): Promise<Snapshot> => {
    const config = await api.config(name, signal);
    if (!config) return { record: emptyRecord, version: 0, stored: undefined };
    const { format: _, write, ...record } = parseRecord(name, config.Spec.Labels[LABEL]);
    return { record, version: config.Version.Index, stored: { config, write } };
  };

  const write = async (from: Snapshot, label: string, signal?: AbortSignal): Promise<void> => {
    const labels = { ...labelsOf(stack, 'state'), [LABEL]: label };
    if (from.stored) await api.updateConfigLabels(from.stored.config, labels, signal);
    else await api.createConfig({ name, data: `Deployments of ${stack}: see its labels.\n`, labels }, signal);
  };

  return {
    api,
    stack,
    read,
    swap: async (from, record, mark, signal) => {
      const label = JSON.stringify({ format: 1, write: mark, ...record });
      if (label.length > LARGEST_RECORD) {
        throw new Error(`The record of deployments has grown to ${label.length} characters`);
      }
      try {
        await write(from, label, signal);
        return { applied: true, now: await read(signal) };
      } catch (error) {
        const lost =
          isOutOfSequence(error) ||
          (error instanceof DockerError && (error.status === 409 || error.status === 404));
        if (!lost) throw error;
        const now = await read(signal);
        return { applied: now.stored?.write === mark, now };
      }
    },
  };
}

function parseRecord(name: string, text: string | undefined): z.infer<typeof deploymentRecordSchema> {
  let content: unknown;
  try {
    content = JSON.parse(text ?? '');
  } catch {
    content = undefined;
  }
  const parsed = deploymentRecordSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new CliError(
    `The record of deployments cannot be read (config ${name}): ${z.prettifyError(parsed.error)}`,
    'A newer version of calculaud may have written it: use that one.',
    EXIT.refused,
  );
}
