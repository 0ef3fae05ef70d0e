import { z } from 'zod';
import { totalSize } from '../../bundle/contents.ts';
import { loadArchive, neededFiles } from '../../bundle/load-archive.ts';
import { type LoadPlan, planLoad } from '../../bundle/load-plan.ts';
import type { OpenBundle } from '../../bundle/open.ts';
import { type WantedImage, wantedImages } from '../../bundle/wanted-images.ts';
import type { Run } from '../../command.ts';
import { changeOptions } from '../../deployment/flags.ts';
import { type Lease, withLease } from '../../deployment/lease.ts';
import { appendToLedger } from '../../deployment/ledger-store.ts';
import { openRegister } from '../../deployment/register.ts';
import { whoAmI } from '../../deployment/session.ts';
import { loadEnvironment } from '../../environment/file.ts';
import type { EnvironmentConfig } from '../../environment/schema.ts';
import { withBundleFile } from '../../host/bundle-file.ts';
import { loadImages } from '../../host/docker-images.ts';
import { stackName } from '../../stack/names.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT, type ExitCode } from '../../ui/exit-codes.ts';
import { interruptible } from '../../ui/interruption.ts';
import { inMegabytes, progressOf } from '../../ui/progress.ts';
import type { Terminal } from '../../ui/terminal.ts';
import { asRefusal } from '../options.ts';
import { checked, describe } from './checked.ts';
import { type Host, look, withHosts } from './hosts.ts';
import { trustedKey } from './public-key.ts';

const options = z.object({
  ...changeOptions,
  key: z.string().optional(),
  dryRun: z.boolean().default(false),
});
type Options = z.output<typeof options>;

export const run: Run = async ({ terminal, options: typed, arguments: [path = ''] }) => {
  const chosen = asRefusal(options, typed);
  const config = loadEnvironment({ file: chosen.file, name: chosen.to });
  refuseDigests(config);
  const key = await trustedKey(chosen.key, config);
  return interruptible('Run it again: what is loaded already is left out.', async (signal) =>
    withBundleFile(path, async (source) => {
      const bundle = await checked(source, key, terminal, signal);
      if (!bundle) {
        throw new CliError(
          `${path} must not be used. Nothing was changed.`,
          'Fetch it again; if that does not help, ask those who made it.',
          EXIT.refused,
        );
      }
      describe(bundle, terminal);
      return withHosts(config, async (hosts) =>
        withRight(config, hosts, chosen, terminal, signal, async (lease) =>
          load({ bundle, config, hosts, chosen, terminal, signal, lease }),
        ),
      );
    }),
  );
};

interface Work {
  readonly bundle: OpenBundle;
  readonly config: EnvironmentConfig;
  readonly hosts: readonly Host[];
  readonly chosen: Options;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly lease: Lease | undefined;
}

async function load(work: Work): Promise<ExitCode> {
  const { config, chosen, terminal, lease } = work;
  const startedAt = new Date().toISOString();
  const wanted = wantedImages(config);
  const plan = await observe(work, wanted);
  show(plan, terminal);
  const changes = plan.hosts.flatMap(({ steps }) => steps.filter(({ change }) => change !== 'none'));
  if (changes.length === 0) {
    terminal.say('Every host has all of its images.');
    return EXIT.done;
  }
  if (chosen.dryRun) return EXIT.findings;
  if (changes.some(({ change }) => change === 'replace')) {
    await confirm(terminal, 'Take these names from the images that have them now?', chosen.yes);
  }

  const record = async (outcome: 'done' | 'failed', note: string | null): Promise<void> => {
    if (!lease) return;
    const { product, created, key } = work.bundle.manifest;
    await appendToLedger(lease, {
      command: `bundle load ${product.version}`,
      startedAt,
      at: new Date().toISOString(),
      outcome,
      plan: null,
      steps: [],
      figures: { version: product.version, commit: product.commit, created, key, loaded: changes.length },
      note,
    });
  };
  try {
    for (const host of work.hosts) await loadInto(host, plan, work);
    await verify(work, wanted);
  } catch (error) {
    await record('failed', error instanceof Error ? error.message : String(error));
    throw error;
  }
  await record('done', null);
  terminal.say(terminal.paint.green('Loaded, and every host confirms it. Start it with `calculaud deploy`.'));
  terminal.emit('loaded', { images: changes.length, hosts: work.hosts.map(({ name }) => name) });
  return EXIT.done;
}

async function observe({ bundle, hosts }: Work, wanted: readonly WantedImage[]): Promise<LoadPlan> {
  const names = wanted.map(({ name }) => name);
  const found = await Promise.all(hosts.map(async (host) => look(host, names)));
  const plan = planLoad(bundle.manifest, wanted, found);
  if (plan.problems.length === 0) return plan;
  throw new CliError(
    `${plan.problems.join('\n')}\nNothing was changed.`,
    'Make a bundle from the calculaud.yml of this environment.',
    EXIT.refused,
  );
}

const SIGNS = { none: '=', add: '+', replace: '~' } as const;

function show({ hosts }: LoadPlan, terminal: Terminal): void {
  for (const { host, steps } of hosts) {
    for (const { image, change } of steps) {
      const remark = change === 'replace' ? '  another image has this name now' : '';
      terminal.print(`${SIGNS[change]} ${host}  ${image.name}  ${image.id.slice(0, 19)}${remark}`);
    }
  }
  terminal.emit('plan', {
    hosts: hosts.map(({ host, steps }) => ({
      host,
      images: steps.map(({ image: { name, id }, change }) => ({ name, id, change })),
    })),
  });
}

/** Loads what a host lacks; once more from the start when the right to do so was in doubt meanwhile. */
async function loadInto(
  host: Host,
  plan: LoadPlan,
  { bundle, terminal, lease, signal }: Work,
): Promise<void> {
  const steps = plan.hosts.find((one) => one.host === host.name)?.steps ?? [];
  const images = steps.filter(({ change }) => change !== 'none').map(({ image }) => image);
  if (images.length === 0) return;
  const total = totalSize(neededFiles(bundle, images));
  terminal.say(`${host.name} gets ${inMegabytes(total)} …`);
  const effect = async (stop: AbortSignal): Promise<void> => {
    const progress = progressOf(terminal, `loaded into ${host.name}`, total);
    await loadImages(host.docker, loadArchive(bundle, images, progress), stop);
  };
  try {
    await (lease ? lease.guard(effect) : effect(signal));
  } catch (error) {
    if (signal.aborted) throw error;
    throw new CliError(
      `${host.name} did not take the images: ${error instanceof Error ? error.message : String(error)}`,
      'Mend it and run it again: what is loaded already is left out.',
      EXIT.notRolledBack,
      { cause: error },
    );
  }
}

/** Asks every host, whatever `docker load` said. */
async function verify(work: Work, wanted: readonly WantedImage[]): Promise<void> {
  const { hosts } = await observe(work, wanted);
  const wrong = hosts.flatMap(({ host, steps }) =>
    steps.filter(({ change }) => change !== 'none').map(({ image }) => `${image.name} on ${host}`),
  );
  if (wrong.length === 0) return;
  throw new CliError(
    `The images were loaded, but Docker has others by these names: ${wrong.join(', ')}.`,
    'Look at `docker images --no-trunc` there, then run it again.',
    EXIT.unverified,
  );
}

/** Where there is a swarm already, nobody deploys meanwhile, and the ledger knows of it. */
async function withRight<T>(
  config: EnvironmentConfig,
  hosts: readonly Host[],
  { dryRun, wait, file, to }: Options,
  terminal: Terminal,
  signal: AbortSignal,
  work: (lease: Lease | undefined) => Promise<T>,
): Promise<T> {
  const manager = hosts.find(({ engine }) => engine.Swarm.ControlAvailable);
  if (!manager || dryRun) return work(undefined);
  return withLease(
    openRegister(manager.docker.api, stackName(config)),
    {
      who: whoAmI(),
      command: `bundle load ${to ?? file ?? ''}`.trim(),
      waitSeconds: wait,
      signal,
      say: terminal.say,
    },
    work,
  );
}

/** Names that no loaded image can have would only be noticed when nothing starts. */
function refuseDigests(config: EnvironmentConfig): void {
  const named = wantedImages(config).filter(({ name, reference }) => name !== reference);
  if (named.length === 0) return;
  throw new CliError(
    `Docker knows a digest only of what it pulled, so it would not find ${named.map(({ reference }) => reference).join(', ')}. Nothing was changed.`,
    'Say in calculaud.yml that the site has no network: offline: { key: <public key> }. Digests are left out then.',
    EXIT.refused,
  );
}
