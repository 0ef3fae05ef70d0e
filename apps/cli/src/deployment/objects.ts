import type { Config } from '../host/docker-answers.ts';
import type { DockerApi } from '../host/docker-api.ts';
import { DockerError } from '../host/docker-error.ts';

/** Everything that is kept for a stack beside its services. All but the state never changes once it is there. */
export type ObjectKind = 'state' | 'plan' | 'ledger' | 'archive';

/** What an engine takes for one config; newer ones take twice as much. */
const LARGEST_OBJECT = 500_000;

/** The name of a config: `<stack>.<kind>`, and what tells it from others of its kind. At most 64 characters. */
export function objectName(stack: string, kind: ObjectKind, suffix?: string): string {
  // No dot, so that a name always says where the stack's own name ends.
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,39}$/.test(stack)) {
    throw new Error(`"${stack}" cannot be the name of a stack: at most 40 letters, digits, - and _`);
  }
  return [stack, kind, ...(suffix ? [suffix] : [])].join('.');
}

/** For whoever looks with `docker config ls --filter label=…`. */
export function labelsOf(stack: string, kind: ObjectKind): Readonly<Record<string, string>> {
  return { 'calculaud.stack': stack, 'calculaud.kind': kind };
}

export async function listObjects(
  api: DockerApi,
  stack: string,
  kind: ObjectKind,
): Promise<readonly { readonly name: string; readonly data: Buffer }[]> {
  const prefix = `${objectName(stack, kind)}.`;
  const configs = await api.configs({ name: [prefix] });
  return configs
    .filter(({ Spec }) => Spec.Name.startsWith(prefix))
    .map((config) => ({ name: config.Spec.Name, data: dataOf(config) }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

export async function readObject(api: DockerApi, name: string): Promise<Buffer | undefined> {
  const config = await api.config(name);
  return config && dataOf(config);
}

/** Stores what will never change; storing the same once more is no failure, so that it can be repeated. */
export async function putObject(
  api: DockerApi,
  stack: string,
  kind: ObjectKind,
  suffix: string,
  data: string | Buffer,
): Promise<string> {
  const name = objectName(stack, kind, suffix);
  const content = Buffer.from(data);
  if (content.length > LARGEST_OBJECT) {
    throw new Error(`${name} would have ${content.length} bytes; the store takes ${LARGEST_OBJECT}`);
  }
  try {
    await api.createConfig({ name, data: content, labels: labelsOf(stack, kind) });
  } catch (error) {
    if (!(error instanceof DockerError) || error.status !== 409) throw error;
    const there = await readObject(api, name);
    if (!there?.equals(content)) throw error;
  }
  return name;
}

function dataOf({ Spec }: Config): Buffer {
  return Buffer.from(Spec.Data, 'base64');
}
