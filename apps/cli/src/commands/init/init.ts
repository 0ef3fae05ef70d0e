import { printKeyRing } from '@calculaud/backup/repository/keyring';
import { makeRecoveryKit } from '@calculaud/backup/repository/recovery-kit';
import { newKeys } from '@calculaud/backup/service/repositories';
import packageJson from '../../../package.json' with { type: 'json' };
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { environmentFile, loadEnvironment } from '../../environment/file.ts';
import { newEnvironmentFile } from '../../environment/new-file.ts';
import { readEnvironment } from '../../environment/read.ts';
import type { EnvironmentConfig } from '../../environment/schema.ts';
import { type Docker, openDocker } from '../../host/docker.ts';
import { parseDockerAddress } from '../../host/docker-address.ts';
import { stackName } from '../../stack/names.ts';
import { initialState, renderStack, type StackConfig } from '../../stack/render.ts';
import { type NeededSecret, neededSecrets } from '../../stack/secrets.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import type { Terminal } from '../../ui/terminal.ts';
import { asRefusal } from '../options.ts';
import { completeAnswers, givenAnswers } from './answers.ts';
import { type Contents, generatedContents, givenContents } from './contents.ts';

const options = givenAnswers.extend({
  file: z.string().optional(),
  environment: z.string().optional(),
  secret: z.array(z.string()).default([]),
  selfSigned: z.boolean().default(false),
  plan: z.boolean().default(false),
  yes: z.boolean().default(false),
});
type Options = z.output<typeof options>;

export const run: Run = async ({ terminal, options: typed }) => {
  const chosen = asRefusal(options, typed);
  const file = environmentFile({ file: chosen.file, name: chosen.environment });
  return existsSync(file) ? withExisting(file, chosen, terminal) : withNew(file, chosen, terminal);
};

/** The host's own name is known by its Docker, so that is asked before the file is written. */
async function withNew(file: string, chosen: Options, terminal: Terminal): Promise<0 | 2> {
  const { docker, ...answers } = await completeAnswers(
    { ...chosen, name: chosen.name ?? chosen.environment },
    terminal,
  );
  return withDocker(docker, async (engine) => {
    const { Name: host } = await engine.api.info();
    const text = newEnvironmentFile({ ...answers, host, docker });
    const { config, problems } = readEnvironment(text);
    if (config === undefined) throw new Error(`A new file is wrong: ${JSON.stringify(problems)}`);
    return prepare({ file, text, config, engine, chosen, terminal });
  });
}

async function withExisting(file: string, chosen: Options, terminal: Terminal): Promise<0 | 2> {
  const said = (['name', 'kind', 'domain', 'image', 'docker'] as const).find((option) => chosen[option]);
  if (said !== undefined) {
    throw new CliError(
      `${file} is there already, so --${said} would have no effect. Nothing was changed.`,
      'Edit the file, or name another one with --file.',
      EXIT.refused,
    );
  }
  const config = loadEnvironment({ file, name: chosen.environment });
  const [manager] = config.hosts;
  if (manager === undefined) throw new Error('A configuration has at least one host');
  return withDocker(manager.docker, async (engine) =>
    prepare({ file, text: undefined, config, engine, chosen, terminal }),
  );
}

async function withDocker<T>(address: string, work: (engine: Docker) => Promise<T>): Promise<T> {
  const engine = await openDocker(parseDockerAddress(address));
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

interface Preparation {
  readonly file: string;
  /** undefined: the file is there. */
  readonly text: string | undefined;
  readonly config: EnvironmentConfig;
  readonly engine: Docker;
  readonly chosen: Options;
  readonly terminal: Terminal;
}

async function prepare({ file, text, config, engine, chosen, terminal }: Preparation): Promise<0 | 2> {
  const swarmMissing = await needsSwarm(config, engine);
  const existing = new Set(swarmMissing ? [] : await secretNames(engine));
  const needed = neededSecrets(config);
  const configs = swarmMissing ? mounted(config) : await withoutExisting(engine, mounted(config));
  const missing = needed.filter(({ name }) => !existing.has(name));
  const keys = await newKeys();
  const contents = contentsOf(config, needed, missing, { ...chosen, backupKeys: printKeyRing(keys.keyring) });
  const kit = contents.get('backup-keys') === printKeyRing(keys.keyring) ? kitFile(file, config) : undefined;

  const line = chosen.plan ? terminal.print : terminal.say;
  line(`${text === undefined ? '=' : '+'} ${file}`);
  if (swarmMissing) line(`+ ${engine.name} becomes a swarm of one host`);
  for (const { name, meaning, secret } of needed) {
    const how = missing.some((other) => other.secret === secret) ? '+' : '=';
    line(`${how} secret ${name}: ${meaning}`);
  }
  for (const { name } of configs) line(`+ config ${name}`);
  if (kit !== undefined) line(`+ ${kit}: opens the backups when everything else is gone`);
  terminal.emit('plan', {
    file,
    write: text !== undefined,
    swarm: swarmMissing,
    secrets: missing.map(({ name }) => name),
    configs: configs.map(({ name }) => name),
  });
  if (text === undefined && !swarmMissing && missing.length + configs.length === 0) {
    terminal.say('Everything is there.');
    terminal.emit('verified', { created: 0 });
    return EXIT.done;
  }
  if (chosen.plan) return EXIT.findings;
  await confirm(terminal, `Do this on ${engine.name}?`, chosen.yes);

  if (text !== undefined) writeFileSync(file, text, { flag: 'wx' });
  if (kit !== undefined) {
    // Before the keys: those of which nobody has the kit are worth nothing.
    writeFileSync(kit, kitPage(config, keys), { flag: 'wx', mode: 0o600 });
    terminal.emit('created', { recovery_kit: kit });
  }
  if (swarmMissing) await engine.command.run(['swarm', 'init']);
  const labels = { 'calculaud.stack': stackName(config) };
  for (const { name, secret } of missing) {
    await engine.api.createSecret({ name, data: contents.get(secret) ?? '', labels });
    terminal.emit('created', { secret: name });
  }
  for (const { name, content } of configs) {
    await engine.api.createConfig({ name, data: content, labels });
    terminal.emit('created', { config: name });
  }
  await verify(engine, needed);
  if (kit !== undefined) {
    terminal.say(`Print ${kit}, keep it far from the hosts, and remove the file: it is not made again.`);
  }
  terminal.say(`Prepared, and verified. Next: calculaud deploy --file ${file}`);
  terminal.emit('verified', { created: missing.length + configs.length });
  return EXIT.done;
}

/** Beside the configuration, on the machine of the operator: no host ever has it. */
function kitFile(file: string, { name }: EnvironmentConfig): string {
  return join(dirname(file), `recovery-kit.${name}.txt`);
}

function kitPage(
  { backup }: EnvironmentConfig,
  { identity, keyring }: Awaited<ReturnType<typeof newKeys>>,
): string {
  return makeRecoveryKit({
    identity,
    keyring,
    addresses: backup?.repositories ?? [],
    restoreCommand: 'calculaud restore --to latest --into ./data --kit recovery-kit.txt',
    madeAt: new Date(),
    appVersion: packageJson.version,
  });
}

/** True when the host is no swarm yet and may become one by itself. */
async function needsSwarm({ hosts }: EnvironmentConfig, { api, name }: Docker): Promise<boolean> {
  const { Swarm: swarm } = await api.info();
  if (swarm.ControlAvailable) return false;
  const [first] = hosts;
  const alone = swarm.LocalNodeState === 'inactive' && hosts.length === 1;
  if (alone) return true;
  throw new CliError(
    swarm.LocalNodeState === 'inactive'
      ? `${name} is no swarm yet, and ${hosts.length} hosts are to become one. Nothing was changed.`
      : `${name} is no manager of its swarm (${swarm.LocalNodeState}${swarm.Error && `: ${swarm.Error}`}). Nothing was changed.`,
    swarm.LocalNodeState === 'inactive'
      ? `Run \`docker swarm init\` on ${first?.name ?? 'it'} and \`docker swarm join\` on the others, then this again.`
      : 'Name a manager first under hosts.',
    EXIT.refused,
  );
}

/** The files that the stack mounts. Deployments make those of later configurations. */
function mounted(config: EnvironmentConfig): readonly StackConfig[] {
  return renderStack(config, initialState(config)).configs;
}

async function withoutExisting(
  { api }: Docker,
  configs: readonly StackConfig[],
): Promise<readonly StackConfig[]> {
  const names = new Set((await api.configs()).map(({ Spec }) => Spec.Name));
  return configs.filter(({ name }) => !names.has(name));
}

async function secretNames({ api }: Docker): Promise<readonly string[]> {
  return (await api.secrets()).map(({ Spec }) => Spec.Name);
}

/** What the missing secrets will hold. */
function contentsOf(
  config: EnvironmentConfig,
  needed: readonly NeededSecret[],
  missing: readonly NeededSecret[],
  { secret: pairs, selfSigned, backupKeys }: Options & { readonly backupKeys: string },
): Contents {
  const given = givenContents(pairs, config);
  const useless = [...given.keys()].find((secret) => !missing.some((other) => other.secret === secret));
  if (useless !== undefined) {
    const exists = needed.some(({ secret }) => secret === useless);
    throw new CliError(
      `The secret ${useless} ${exists ? 'is there already; secrets are never overwritten' : 'is not needed here'}. Nothing was changed.`,
      exists ? 'Leave --secret out.' : '',
      EXIT.refused,
    );
  }
  const open = missing.filter(({ secret }) => !given.has(secret));
  const generated = open.filter(
    ({ secret, origin }) => origin === 'generated' || (secret === 'tls' && selfSigned),
  );
  const unknown = open.filter((secret) => !generated.includes(secret));
  if (unknown.length > 0) {
    throw new CliError(
      `These secrets have to be given:\n${unknown.map(({ secret, meaning }) => `  ${secret}: ${meaning}`).join('\n')}`,
      `Add ${unknown.map(({ secret }) => `--secret ${secret}=<file>`).join(' ')}${unknown.some(({ secret }) => secret === 'tls') ? ', or --self-signed to try it out' : ''}.`,
      EXIT.refused,
    );
  }
  refuseHalfALogin(missing, generated);
  return new Map([...given, ...generatedContents(config, generated, backupKeys)]);
}

/** The two URLs of the API share a password, which nobody can read out of the one that exists. */
function refuseHalfALogin(missing: readonly NeededSecret[], generated: readonly NeededSecret[]): void {
  const pair = ['database-app', 'database-app-pooled'] as const;
  const gone = pair.filter((name) => missing.some(({ secret }) => secret === name));
  const [only] = gone;
  if (gone.length !== 1 || only === undefined || !generated.some(({ secret }) => secret === only)) return;
  throw new CliError(
    `The secret ${only} is missing, and its password is in the other one, which cannot be read back. Nothing was changed.`,
    `Give it with --secret ${only}=<file>.`,
    EXIT.refused,
  );
}

async function verify(engine: Docker, needed: readonly NeededSecret[]): Promise<void> {
  const there = new Set(await secretNames(engine));
  const lacking = needed.filter(({ name }) => !there.has(name));
  if (lacking.length === 0) return;
  throw new CliError(
    `Docker does not show what was created: ${lacking.map(({ name }) => name).join(', ')}.`,
    'Look at `docker secret ls`, and run this again.',
    EXIT.unverified,
  );
}
