import { z } from 'zod';
import {
  type Config,
  type Container,
  type ContainerSummary,
  configAnswer,
  configsAnswer,
  containerAnswer,
  containersAnswer,
  createdAnswer,
  type DockerEvent,
  type EngineInfo,
  type EngineVersion,
  eventAnswer,
  type Image,
  imageAnswer,
  infoAnswer,
  type Node,
  nodesAnswer,
  type Secret,
  type Service,
  secretsAnswer,
  serviceAnswer,
  servicesAnswer,
  type Task,
  tasksAnswer,
  versionAnswer,
} from './docker-answers.ts';
import { DockerError } from './docker-error.ts';
import { linesOfLog, type LogComplaint, type LogLine } from './docker-logs.ts';
import type { DockerTransport, EngineRequest } from './docker-transport.ts';

/** As the Engine API has them, such as `{ label: ['com.docker.stack.namespace=calculaud'] }`. */
export type Filters = Readonly<Record<string, readonly string[]>>;

interface NewObject {
  readonly name: string;
  readonly data: string | Buffer;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface LogChoice {
  /** Also what is written from now on, by containers that come later, too; until the signal. */
  readonly follow: boolean;
  /** So many lines of each container. */
  readonly tail: number | 'all';
  readonly since?: Date | undefined;
}

/** The part of the Engine API that deployments need. What does not exist is undefined; every other failure is a DockerError. */
export interface DockerApi {
  readonly version: () => Promise<EngineVersion>;
  readonly info: () => Promise<EngineInfo>;
  readonly nodes: (filters?: Filters) => Promise<readonly Node[]>;
  /** With the counts of running and wanted tasks. */
  readonly services: (filters?: Filters) => Promise<readonly Service[]>;
  readonly service: (idOrName: string) => Promise<Service | undefined>;
  /** False when there was none. */
  readonly removeService: (idOrName: string) => Promise<boolean>;
  readonly tasks: (filters?: Filters) => Promise<readonly Task[]>;
  /** Of this engine alone, stopped ones too. */
  readonly containers: (filters?: Filters) => Promise<readonly ContainerSummary[]>;
  readonly container: (id: string) => Promise<Container | undefined>;
  /** Also one that runs. False when there was none, or somebody else is taking it away already. */
  readonly removeContainer: (id: string) => Promise<boolean>;
  readonly image: (reference: string) => Promise<Image | undefined>;
  /** Their data comes along. A name is matched by its beginning. */
  readonly configs: (filters?: Filters) => Promise<readonly Config[]>;
  readonly config: (idOrName: string, signal?: AbortSignal) => Promise<Config | undefined>;
  readonly createConfig: (config: NewObject, signal?: AbortSignal) => Promise<string>;
  /** Compare and swap: fails with `isOutOfSequence` when the config is no longer the one that is given. */
  readonly updateConfigLabels: (
    config: Config,
    labels: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ) => Promise<void>;
  /** False when there was none. */
  readonly removeConfig: (idOrName: string) => Promise<boolean>;
  readonly secrets: (filters?: Filters) => Promise<readonly Secret[]>;
  readonly createSecret: (secret: NewObject) => Promise<string>;
  readonly removeSecret: (idOrName: string) => Promise<boolean>;
  /** Of all its containers, those that ended and are still there, too; across hosts. In no order between containers. */
  readonly serviceLogs: (
    service: string,
    choice: LogChoice,
    signal: AbortSignal,
  ) => AsyncGenerator<LogLine | LogComplaint>;
  /** From now on, until the signal. */
  readonly events: (filters: Filters, signal: AbortSignal) => AsyncGenerator<DockerEvent>;
}

/** What this code was written for: Docker 20.10. Later engines know it too, until they say that they no longer do. */
const API_VERSION = '1.41';

export function dockerApi(transport: DockerTransport): DockerApi {
  let prefix: Promise<string> | undefined;
  const version = async (): Promise<EngineVersion> =>
    parse(versionAnswer, await transport.send({ path: '/version' }), '/version');
  const versioned = async (request: EngineRequest): Promise<EngineRequest> => {
    prefix ??= version().then(
      (engine) => `/v${later(API_VERSION, engine.MinAPIVersion)}`,
      (error: unknown) => {
        prefix = undefined;
        throw error;
      },
    );
    return { ...request, path: `${await prefix}${request.path}` };
  };
  const send = async (request: EngineRequest): Promise<string> => transport.send(await versioned(request));
  const get = async <T extends z.ZodType>(
    answer: T,
    path: string,
    query?: EngineRequest['query'],
    signal?: AbortSignal,
  ): Promise<z.output<T>> => parse(answer, await send({ path, ...(query && { query }), signal }), path);
  const list = async <T extends z.ZodType>(
    answer: T,
    path: string,
    filters: Filters | undefined,
    query: EngineRequest['query'] = {},
  ): Promise<z.output<T>> => get(answer, path, { ...query, filters: filters && JSON.stringify(filters) });
  const create = async (path: string, { name, data, labels = {} }: NewObject, signal?: AbortSignal) => {
    const body = { Name: name, Data: Buffer.from(data).toString('base64'), Labels: labels };
    return parse(createdAnswer, await send({ method: 'POST', path, body, signal }), path).ID;
  };
  const remove = async (path: string, query: EngineRequest['query'] = {}): Promise<boolean> =>
    (await unlessMissing(send({ method: 'DELETE', path, query }))) !== undefined;

  return {
    version,
    info: async () => get(infoAnswer, '/info'),
    nodes: async (filters) => list(nodesAnswer, '/nodes', filters),
    services: async (filters) => list(servicesAnswer, '/services', filters, { status: 'true' }),
    service: async (idOrName) =>
      unlessMissing(get(serviceAnswer, `/services/${encodeURIComponent(idOrName)}`)),
    removeService: async (idOrName) => remove(`/services/${encodeURIComponent(idOrName)}`),
    // A service that the filters name and that does not exist is an error to the engine.
    tasks: async (filters) => (await unlessMissing(list(tasksAnswer, '/tasks', filters))) ?? [],
    containers: async (filters) => list(containersAnswer, '/containers/json', filters, { all: 'true' }),
    container: async (id) =>
      unlessMissing(get(containerAnswer, `/containers/${encodeURIComponent(id)}/json`)),
    removeContainer: async (id) => {
      try {
        return await remove(`/containers/${encodeURIComponent(id)}`, { force: 'true' });
      } catch (error) {
        if (error instanceof DockerError && /already in progress/.test(error.answer)) return false;
        throw error;
      }
    },
    // The slashes of a reference belong to the path.
    image: async (reference) => unlessMissing(get(imageAnswer, `/images/${encodeURI(reference)}/json`)),
    configs: async (filters) => list(configsAnswer, '/configs', filters),
    config: async (idOrName, signal) =>
      unlessMissing(get(configAnswer, `/configs/${encodeURIComponent(idOrName)}`, undefined, signal)),
    createConfig: async (config, signal) => create('/configs/create', config, signal),
    updateConfigLabels: async ({ ID, Version, Spec }, labels, signal) => {
      await send({
        method: 'POST',
        path: `/configs/${ID}/update`,
        query: { version: String(Version.Index) },
        body: { ...Spec, Labels: labels },
        signal,
      });
    },
    removeConfig: async (idOrName) => remove(`/configs/${encodeURIComponent(idOrName)}`),
    secrets: async (filters) => list(secretsAnswer, '/secrets', filters),
    createSecret: async (secret) => create('/secrets/create', secret),
    removeSecret: async (idOrName) => remove(`/secrets/${encodeURIComponent(idOrName)}`),
    serviceLogs: async function* (service, { follow, tail, since }, signal) {
      const query = {
        stdout: 'true',
        stderr: 'true',
        details: 'true',
        timestamps: 'true',
        follow: String(follow),
        tail: String(tail),
        since: since && String(since.getTime() / 1000),
      };
      const path = `/services/${encodeURIComponent(service)}/logs`;
      yield* linesOfLog(transport.stream(await versioned({ path, query, signal })));
    },
    events: async function* (filters, signal) {
      const path = '/events';
      const request = await versioned({ path, query: { filters: JSON.stringify(filters) }, signal });
      const decoder = new TextDecoder();
      let rest = '';
      for await (const chunk of transport.stream(request)) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line.trim()) yield parse(eventAnswer, line, path);
      }
    },
  };
}

async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof DockerError && error.status === 404) return undefined;
    throw error;
  }
}

function parse<T extends z.ZodType>(answer: T, text: string, path: string): z.output<T> {
  const parsed = answer.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(
    `The Docker engine answered ${path} in a way that is not known: ${z.prettifyError(parsed.error)}`,
  );
}

function later(one: string, other: string): string {
  const number = (text: string): number => {
    const [major = 0, minor = 0] = text.split('.').map(Number);
    return major * 1000 + minor;
  };
  return number(one) >= number(other) ? one : other;
}
