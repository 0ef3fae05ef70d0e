import { explainConfig } from '@calculaud/config/load';
import { aboutSetting, settingNames } from '@calculaud/config/schema';
import { nearest } from '@calculaud/config/spelling';
import type { Finding } from './problem.ts';
import { type EnvironmentConfig, HOST_ROLES, type HostRole } from './schema.ts';

/** What the parts of a configuration, each of them valid alone, must fulfil together. */
export function contradictions(config: EnvironmentConfig): readonly Finding[] {
  return [
    ...hosts(config),
    ...files(config),
    ...gateway(config),
    ...strategy(config),
    ...resources(config),
    ...connections(config),
    ...kind(config),
    ...settings(config),
  ];
}

/** Something to know that is not wrong. */
export interface Note {
  readonly path: string;
  readonly text: string;
}

/** Sections that are accepted and checked, but that no part of this version works with yet. */
const WITHOUT_EFFECT = ['smtp', 'alerts', 'clamav'] as const;

export function notesOn(config: EnvironmentConfig): readonly Note[] {
  return WITHOUT_EFFECT.filter((section) => config[section] !== undefined).map((section) => ({
    path: section,
    text: 'is read and checked; no part of this version uses it yet',
  }));
}

/** Roles that exactly one host has: what they keep is on that host. */
function singleRoles({ database, storage }: EnvironmentConfig): ReadonlySet<HostRole> {
  return new Set<HostRole>([
    'gateway',
    ...(database.kind === 'bundled' ? (['database'] as const) : []),
    ...(storage.kind === 'bundled-s3' ? (['storage'] as const) : []),
  ]);
}

function hosts(config: EnvironmentConfig): Finding[] {
  const findings: Finding[] = [];
  const single = singleRoles(config);
  config.hosts.forEach(({ name }, index) => {
    if (config.hosts.findIndex((other) => other.name === name) < index) {
      findings.push({
        path: ['hosts', index, 'name'],
        problem: `is "${name}" a second time`,
        expected: 'a name of its own for every host',
      });
    }
  });
  for (const role of HOST_ROLES) {
    const having = config.hosts.filter(({ roles }) => roles.includes(role)).map(({ name }) => name);
    if (having.length === 0 && (role === 'app' || single.has(role))) {
      findings.push({
        path: ['hosts'],
        problem: `have no host with the role ${role}`,
        expected: role === 'app' ? 'at least one' : 'exactly one',
      });
    }
    if (having.length > 1 && single.has(role)) {
      findings.push({
        path: ['hosts'],
        problem: `have the role ${role} on ${having.join(', ')}`,
        expected: `one host with it: what it keeps stays there (roles: […] on each host)`,
      });
    }
  }
  return findings;
}

function files({ hosts, storage }: EnvironmentConfig): Finding[] {
  const serving = hosts.filter(({ roles }) => roles.includes('app')).map(({ name }) => name);
  if (storage.kind !== 'local' || serving.length < 2) return [];
  return [
    {
      path: ['storage', 'kind'],
      problem: `is local, but the application runs on ${serving.join(', ')}: each would have files of its own`,
      expected: 'bundled-s3 or external-s3, or the role app on one host only',
    },
  ];
}

function gateway({ gateway: { http, https } }: EnvironmentConfig): Finding[] {
  if (http !== https) return [];
  return [
    { path: ['gateway', 'https'], problem: `is ${https}, like gateway.http`, expected: 'another port' },
  ];
}

function strategy({ strategy: { canary } }: EnvironmentConfig): Finding[] {
  return canary.steps.flatMap(({ percent }, index) => {
    const before = canary.steps[index - 1]?.percent ?? 0;
    if (percent > before) return [];
    return [
      {
        path: ['strategy', 'canary', 'steps', index, 'percent'],
        problem: `is ${percent}, after ${before}`,
        expected: 'more at each step',
      },
    ];
  });
}

function resources(config: EnvironmentConfig): Finding[] {
  return Object.entries(config.resources).flatMap(([part, { limits, reservations }]) => {
    const findings: Finding[] = [];
    const refuse = (what: 'cpus' | 'memory'): void => {
      findings.push({
        path: ['resources', part, 'reservations', what],
        problem: `is ${reservations[what]}, above the limit, which is ${limits[what]}`,
        expected: `at most ${limits[what]}`,
      });
    };
    if (reservations.cpus > limits.cpus) refuse('cpus');
    if (megabytes(reservations.memory) > megabytes(limits.memory)) refuse('memory');
    return findings;
  });
}

export function megabytes(amount: string): number {
  return Number(amount.slice(0, -1)) * (amount.endsWith('G') ? 1024 : 1);
}

/** Of the bundled server; some are left for the worker, migrations, backups and people. */
export const DATABASE_CONNECTIONS = 200;
const LEFT_FOR_OTHERS = 40;

/** Two colours are there during a deployment, each with all of its connections. */
function connections({ database, replicas, settings }: EnvironmentConfig): Finding[] {
  if (database.kind !== 'bundled' || database.pooler) return [];
  const pool = Number(settings['CALCULAUD_POOL_SIZE'] ?? 10);
  const wanted = replicas.api * 2 * pool;
  const available = DATABASE_CONNECTIONS - LEFT_FOR_OTHERS;
  if (!(wanted > available)) return [];
  return [
    {
      path: ['replicas', 'api'],
      problem: `needs ${wanted} connections to the database during a deployment (two colours of ${replicas.api}, ${pool} each)`,
      expected: `at most ${available}, or database.pooler: true`,
    },
  ];
}

function kind(config: EnvironmentConfig): Finding[] {
  const findings: Finding[] = [];
  if (config.sources !== undefined && config.kind !== 'development') {
    findings.push({
      path: ['sources'],
      problem: `would run a checkout in place of the image in an environment of kind ${config.kind}`,
      expected: 'kind: development, or to be left out',
    });
  }
  if (config.sources !== undefined && config.hosts.length > 1) {
    findings.push({
      path: ['sources'],
      problem: 'are on one host, but there are several',
      expected: 'one host, or to be left out',
    });
  }
  if (config.kind !== 'production') return findings;

  if (/:(latest|dev)$/.test(config.image)) {
    findings.push({
      path: ['image'],
      problem: `is ${config.image}, which means something else every day`,
      expected: 'a version or a digest in production',
    });
  }
  if (/(^|\.)localhost$/i.test(config.domain)) {
    findings.push({
      path: ['domain'],
      problem: `is ${config.domain}, which only this machine reaches`,
      expected: 'the name under which people reach it',
    });
  }
  return findings;
}

/** What the stack says itself, because its other parts depend on it. */
const SAID_BY_THE_STACK: ReadonlyMap<string, string> = new Map([
  ['ENVIRONMENT', 'kind'],
  ['VERSION', 'image'],
  ['LOG_LEVEL', 'log_level'],
  ['HOST', 'the stack'],
  ['PORT', 'the stack'],
  ['CALCULAUD_MANAGEMENT_HOST', 'the stack'],
  ['MANAGEMENT_PORT', 'the stack'],
  ['CALCULAUD_DATA', 'the stack'],
  ['CALCULAUD_TRUSTED_PROXIES', 'gateway.trusted_proxies'],
  ['CALCULAUD_FILES', 'storage.kind'],
  ['S3_BUCKET_NAME', 'storage.bucket'],
  ['S3_ENDPOINT_URL', 'storage.endpoint'],
  ['AWS_REGION', 'storage.region'],
]);

function settings(config: EnvironmentConfig): Finding[] {
  const findings: Finding[] = [];
  const fine: Record<string, string> = {};
  for (const [name, value] of Object.entries(config.settings)) {
    const refuse = (problem: string, expected: string): void => {
      findings.push({ path: ['settings', name], problem, expected });
    };
    const known = settingNames.find((setting) => setting === name);
    const instead = SAID_BY_THE_STACK.get(name);
    if (known === undefined) {
      const meant = nearest(name, settingNames);
      refuse(
        'is no setting of this version',
        meant ? `did you mean ${meant}?` : 'a name from `calculaud config show`',
      );
    } else if (aboutSetting(known).secret) {
      refuse('is a secret, and everybody may read this file', 'a Docker secret (`calculaud init`)');
    } else if (instead !== undefined) {
      refuse(`is decided by ${instead}`, 'to be left out');
    } else {
      fine[name] = String(value);
    }
  }
  // The server's own rules, with what else it will be told.
  const { problems } = explainConfig({
    ...fine,
    ENVIRONMENT: config.kind,
    HOST: '0.0.0.0',
    CALCULAUD_MANAGEMENT_HOST: '0.0.0.0',
  });
  for (const { name, problem, expected } of problems) {
    findings.push({ path: ['settings', name], problem, expected });
  }
  return findings;
}
