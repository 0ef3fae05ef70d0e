import type { BackendCounts } from '../deployment/evidence.ts';

/** What HAProxy's answers mean. Pure, so that a test needs no HAProxy. */

/** A line of `show stat`: of a frontend, a backend, or a server of one. */
export interface Stat {
  readonly proxy: string;
  /** `FRONTEND`, `BACKEND`, or the name of a server. */
  readonly name: string;
  /** Such as `UP`, `DOWN`, `MAINT`, `UP 1/2`. */
  readonly status: string;
  /** Why, by the last check. */
  readonly check: string;
  readonly address: string;
  readonly openSessions: number;
  readonly sessions: number;
  /** Requests, where HAProxy counts them (of servers: sessions). */
  readonly requests: number;
  readonly answers: number;
  readonly answers4xx: number;
  readonly answers5xx: number;
  readonly queued: number;
  readonly connectionErrors: number;
  readonly responseErrors: number;
  readonly retries: number;
  readonly redispatches: number;
  readonly clientAborts: number;
  readonly serverAborts: number;
  /** Means of the last 1024, in milliseconds. */
  readonly queueMs: number;
  readonly connectMs: number;
  readonly responseMs: number;
  readonly totalMs: number;
  readonly worstResponseMs: number;
  /** Since the status last changed. */
  readonly secondsInStatus: number;
}

export function parseStat(csv: string): Stat[] {
  const [head = '', ...lines] = csv.split('\n').filter(Boolean);
  const names = cells(head.replace(/^# /, ''));
  return lines.map((line) => {
    const values = new Map(cells(line).map((cell, index) => [names[index] ?? '', cell]));
    const text = (name: string) => values.get(name) ?? '';
    const number = (name: string) => Number(text(name) || 0);
    const answers = ['1xx', '2xx', '3xx', '4xx', '5xx', 'other'].map((kind) => number(`hrsp_${kind}`));
    return {
      proxy: text('pxname'),
      name: text('svname'),
      status: text('status'),
      check: [text('check_status'), text('check_code'), text('last_chk')].filter(Boolean).join(' '),
      address: text('addr'),
      openSessions: number('scur'),
      sessions: number('stot'),
      requests: number('req_tot') || number('stot'),
      answers: answers.reduce((sum, count) => sum + count, 0),
      answers4xx: number('hrsp_4xx'),
      answers5xx: number('hrsp_5xx'),
      queued: number('qcur'),
      connectionErrors: number('econ'),
      responseErrors: number('eresp'),
      retries: number('wretr'),
      redispatches: number('wredis'),
      clientAborts: number('cli_abrt'),
      serverAborts: number('srv_abrt'),
      queueMs: number('qtime'),
      connectMs: number('ctime'),
      responseMs: number('rtime'),
      totalMs: number('ttime'),
      worstResponseMs: number('rtime_max'),
      secondsInStatus: number('lastchg'),
    };
  });
}

/** Cells between commas; one that holds a comma stands in quotes. */
function cells(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}

/** What the gates judge a backend by. */
export function countsOf(stat: Stat): BackendCounts {
  return {
    answers: stat.answers,
    answers5xx: stat.answers5xx,
    responseErrors: stat.responseErrors,
    connectionErrors: stat.connectionErrors,
    queued: stat.queued,
    responseMs: stat.responseMs,
  };
}

/** `show map`: `0x55d… active blue`. */
export function parseMap(answer: string): ReadonlyMap<string, string> {
  return pairs(answer.split('\n').map((line) => line.replace(/^0x[0-9a-f]+ /, '')));
}

/** A map as it stands in its file. */
export function parseMapFile(text: string): ReadonlyMap<string, string> {
  return pairs(text.split('\n').filter((line) => !line.trimStart().startsWith('#')));
}

function pairs(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines.flatMap((line) => {
      const [, key, value] = /^\s*(\S+)\s+(.*?)\s*$/.exec(line) ?? [];
      return key === undefined ? [] : [[key, value ?? '']];
    }),
  );
}

/** `show info`: `Name: value`. */
export function parseInfo(answer: string): ReadonlyMap<string, string> {
  return new Map(
    answer.split('\n').flatMap((line) => {
      const [, name, value] = /^([^:]+): (.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value ?? '']];
    }),
  );
}

export interface ServerState {
  readonly backend: string;
  readonly server: string;
  readonly address: string;
  /** It is taken to be up (2), or on its way there. */
  readonly up: boolean;
  /** Switched off by hand or for want of an address. */
  readonly maintenance: boolean;
}

/** `show servers state`: columns whose names stand in the second line. */
export function parseServers(answer: string): ServerState[] {
  const [, head = '', ...lines] = answer.split('\n');
  const names = head.replace(/^# /, '').split(' ');
  const column = (line: string, name: string) => line.split(' ')[names.indexOf(name)] ?? '';
  return lines.filter(Boolean).map((line) => ({
    backend: column(line, 'be_name'),
    server: column(line, 'srv_name'),
    address: `${column(line, 'srv_addr')}:${column(line, 'srv_port')}`,
    up: Number(column(line, 'srv_op_state')) >= 1,
    maintenance: Number(column(line, 'srv_admin_state')) !== 0,
  }));
}

export interface Processes {
  /** Those that serve now, not those that only finish what they have. */
  readonly workers: readonly number[];
  /** How often in a row the master could not start others. */
  readonly failedReloads: number;
}

/** `show proc` of the master. */
export function parseProcesses(answer: string): Processes {
  const [, workers = ''] = /# workers\n((?:\d.*\n?)*)/.exec(answer) ?? [];
  return {
    workers: [...workers.matchAll(/^(\d+)\s+worker/gm)].map(([, pid]) => Number(pid)),
    failedReloads: Number(/^\d+\s+master\s+\d+ \[failed: (\d+)\]/m.exec(answer)?.[1] ?? 0),
  };
}
