import type { createColors } from 'picocolors';
import { COLOURS } from '../stack/release-state.ts';
import { table } from '../ui/table.ts';
import {
  answering,
  type Assessment,
  DATABASE_CHECK,
  isBusy,
  keptColour,
  runningOf,
  SCHEMA_CHECK,
} from './findings.ts';
import type { Seen, SeenHost, SeenService } from './seen.ts';
import { amount, inWords, shortImage } from './words.ts';

type Paint = ReturnType<typeof createColors>;

/** Of the log of whoever failed; all of what was read is in the event. */
const MOST_LINES = 5;
const LONGEST_LINE = 160;

/** One screen of text: what is wrong and what to type, then who answers, then what runs where. */
export function screen(seen: Seen, assessment: Assessment, paint: Paint): string {
  return [
    head(seen, assessment, paint),
    problems(assessment, paint),
    facts(seen),
    services(seen),
    hosts(seen),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function head(
  { environment: { name, kind, domain }, at }: Seen,
  { verdict }: Assessment,
  paint: Paint,
): string {
  const words = {
    healthy: paint.green('healthy'),
    wrong: paint.red('not as it should be'),
    unverified: paint.yellow('could not be looked at in full'),
  }[verdict];
  return `${paint.bold(name)} (${kind}, ${domain}): ${words}  ${paint.dim(inWords(at))}`;
}

function problems({ findings, notes }: Assessment, paint: Paint): string {
  return [
    ...findings.flatMap(({ kind, words, command, lines }) => [
      `${kind === 'wrong' ? paint.red('✗') : paint.yellow('?')} ${words}`,
      ...lines.slice(-MOST_LINES).map((line) => paint.dim(`    ${clipped(line)}`)),
      ...(command === null ? [] : [`  → ${command}`]),
    ]),
    ...notes.map((note) => `· ${note}`),
  ].join('\n');
}

/** A line of a log may be as long as it likes, and say anything to a terminal. */
function clipped(line: string): string {
  const harmless = line.replaceAll(/\p{Cc}/gu, '�');
  return harmless.length > LONGEST_LINE ? `${harmless.slice(0, LONGEST_LINE)} …` : harmless;
}

function facts(seen: Seen): string {
  const rows: [string, string][] = [
    ['Release', released(seen)],
    ['Kept', kept(seen)],
    ['Traffic', traffic(seen)],
    ['Database', database(seen)],
    ['Deployment', deployment(seen)],
    ['Last', last(seen)],
    ['Drift', drift(seen)],
  ];
  return table(rows.filter(([, text]) => text !== ''));
}

function released(seen: Seen): string {
  const { release } = seen;
  const running = release?.[release.active];
  if (!release || !running) return 'nothing';
  return `${release.active}: ${shortImage(running.image)}${build(seen, `api-${release.active}`)}`;
}

function kept(seen: Seen): string {
  const colour = keptColour(seen);
  if (colour === null) return seen.release === null ? '' : 'no version for a rollback';
  const image = shortImage(seen.release?.[colour]?.image ?? '');
  return `${colour}: ${image}${build(seen, `api-${colour}`)}, for \`calculaud rollback\``;
}

/** As the instances themselves say it. */
function build({ services: live }: Seen, service: string): string {
  const instances = live.find((one) => one.service === service)?.instances ?? [];
  const answers = instances.flatMap(({ answer }) => (answer ? [answer] : []));
  const builds = [...new Set(answers.map(({ version, commit }) => `${version}${shortCommit(commit)}`))];
  const ready = answers.filter((answer) => answer.ready).length;
  if (builds.length === 0) return ', nobody says which version it is';
  return `, version ${builds.join(' and ')}, ${ready} of ${instances.length} ready`;
}

function shortCommit(commit: string | null): string {
  return commit === null ? '' : ` (${commit.replace(/^([0-9a-f]{12})[0-9a-f]*/, '$1')})`;
}

function traffic({ gateway, release }: Seen): string {
  if (!gateway) return release === null ? '' : 'not known: the gateway does not answer';
  const colour = answering(gateway);
  if (colour === null) return 'nobody answers';
  const { running, ready } = gateway;
  const share = running.canary > 0 && running.next ? `, ${running.canary} % of it to ${running.next}` : '';
  const how = running.active === null ? ' (by readiness: the map names nobody)' : '';
  const counts = COLOURS.filter((one) => one === colour || one === running.next).map(
    (one) => `${ready[one]} of ${one}`,
  );
  return `to ${colour}${how}${share}; ready by the gateway: ${counts.join(', ')}`;
}

function database({ database: { kind, accepts }, services: live }: Seen): string {
  const checks = live.flatMap(({ instances }) => instances.flatMap(({ answer }) => answer?.checks ?? []));
  const of = (check: string) => checks.filter((one) => one.check === check);
  const asked = of(DATABASE_CHECK);
  const fine = asked.filter(({ status }) => status === 'pass');
  const slowest = Math.max(0, ...fine.map(({ ms }) => ms ?? 0));
  // Who cannot ask the database knows nothing of its schema.
  const schema = fine.length === 0 ? [] : of(SCHEMA_CHECK);
  const words = [
    accepts === null ? '' : accepts ? 'takes connections' : 'takes no connections',
    asked.length === 0 ? '' : `answers ${fine.length} of ${asked.length} instances`,
    fine.length === 0 ? '' : `within ${slowest} ms`,
    schema.length === 0
      ? ''
      : schema.every(({ status }) => status === 'pass')
        ? 'the schema fits'
        : 'the schema does not fit',
  ].filter(Boolean);
  return words.length === 0 ? '' : `${kind}, ${words.join(', ')}`;
}

function deployment(seen: Seen): string {
  const { deployment: unfinished, lock } = seen;
  if (lock && isBusy(seen)) return `"${lock.command}" of ${lock.who} is under way`;
  return unfinished ? `"${unfinished.command}" of ${unfinished.who} is not finished` : 'none under way';
}

function last({ ledger: { last: entry } }: Seen): string {
  if (!entry) return '';
  const { n, command, outcome, at, who } = entry;
  return `${n}. ${command}: ${outcome}, ${inWords(at)}, by ${who}`;
}

function drift({ drift: found, release }: Seen): string {
  if (release === null) return '';
  return found.length === 0 ? 'none' : found.map(({ service, words }) => `${service} ${words}`).join('; ');
}

function services({ services: live }: Seen): string {
  if (live.length === 0) return '';
  return table([
    ['SERVICE', 'WANTED', 'RUNNING', 'HEALTHY', 'IMAGE', 'HOSTS'],
    ...live.map(({ service, wanted, image, instances }) => [
      service,
      String(wanted),
      String(runningOf(instances).length),
      healthy(instances),
      shortImage(image),
      [...new Set(runningOf(instances).map(({ host }) => host))].join(', '),
    ]),
  ]);
}

function healthy(instances: SeenService['instances']): string {
  const running = runningOf(instances);
  const well = running.filter(({ health }) => health === 'healthy' || health === 'none').length;
  const unknown = running.filter(({ health }) => health === null).length;
  return unknown === 0 ? String(well) : `${well} (${unknown} not known)`;
}

function hosts({ hosts: found }: Seen): string {
  return table([
    ['HOST', 'STATE', 'DOCKER', 'DISK'],
    ...found.map((host) => [host.name, state(host), host.node?.engine ?? '', disk(host)]),
  ]);
}

function state({ away, node }: SeenHost): string {
  if (!node) return 'no node of the Swarm';
  const role = node.leader ? 'leading manager' : node.role;
  const rest = [
    node.availability === 'active' ? '' : node.availability,
    away ? 'cannot be reached from here' : '',
  ].filter(Boolean);
  return [node.state, role, ...rest].join(', ');
}

function disk({ disks }: SeenHost): string {
  return disks
    .map(
      ({ holds, free_bytes, size_bytes }) =>
        `${amount(free_bytes)} of ${amount(size_bytes)} free (${holds.join(', ')})`,
    )
    .join('; ');
}
