import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A machine that is reached by SSH: this one. */
export interface SshServer {
  readonly user: string;
  readonly port: number;
  /** The private key that it lets in. */
  readonly identityFile: string;
  /** One that it does not know. */
  readonly strangeIdentityFile: string;
  /** The file that names its host key, and one that names another key for it. */
  readonly knownHostsFile: string;
  readonly wrongKnownHostsFile: string;
  /** To be put before PATH: an `ssh` that has what an operator's own configuration says of this machine. */
  readonly clientFolder: string;
  /** Ends every connection that is open, as a network does that fails for a moment; answers how many there were. */
  readonly breakConnections: () => number;
  readonly stop: () => Promise<void>;
}

interface Options {
  /** What whoever logs in there finds set. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Debian's openssh-server, with keys and a configuration of its own, on a free port of the loopback. */
export async function startSshServer({ environment = {} }: Options = {}): Promise<SshServer> {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-sshd-'));
  const file = (name: string): string => join(folder, name);
  const [host, , mine] = await Promise.all(
    ['host', 'stranger', 'mine'].map(async (name) => makeKey(file(name))),
  );
  const stranger = readFileSync(file('stranger.pub'), 'utf8');
  const port = await freePort();
  const nameOf = (key: string): string => `[127.0.0.1]:${port} ${key}`;
  writeFileSync(file('known_hosts'), nameOf(host ?? ''));
  writeFileSync(file('wrong_known_hosts'), nameOf(stranger));
  writeFileSync(file('authorized_keys'), mine ?? '', { mode: 0o600 });
  const { username } = userInfo();
  writeFileSync(
    file('config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${file('host')}`,
      `AuthorizedKeysFile ${file('authorized_keys')}`,
      `AllowUsers ${username}`,
      'PermitRootLogin prohibit-password',
      'AuthenticationMethods publickey',
      'UsePAM no',
      // The folder of temporary files can be written by everybody; the keys in ours cannot.
      'StrictModes no',
      `PidFile ${file('pid')}`,
      ...Object.entries(environment).map(([name, value]) => `SetEnv ${name}=${value}`),
      '',
    ].join('\n'),
  );
  writeClient(file('client'), { identityFile: file('mine'), knownHostsFile: file('known_hosts') });
  // Where root starts it, it wants a place of its own, which a boot would have made.
  if (process.getuid?.() === 0 && !existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', file('config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  sshd.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(sshd, 'exit');
  while (!(await accepts(port))) {
    if (sshd.exitCode !== null) throw new Error(`sshd ended with ${sshd.exitCode}: ${said}`);
    await wait(20);
  }
  return {
    user: username,
    port,
    identityFile: file('mine'),
    strangeIdentityFile: file('stranger'),
    knownHostsFile: file('known_hosts'),
    wrongKnownHostsFile: file('wrong_known_hosts'),
    clientFolder: file('client'),
    breakConnections: () => {
      const sessions = childrenOf(sshd.pid);
      for (const pid of sessions.flatMap((session) => [...descendantsOf(session), session])) endAtOnce(pid);
      return sessions.length;
    },
    stop: async () => {
      sshd.kill();
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Home folders are not for tests to write to, and ssh asks no variable for them. */
function writeClient(
  folder: string,
  { identityFile, knownHostsFile }: Pick<SshServer, 'identityFile' | 'knownHostsFile'>,
): void {
  mkdirSync(folder);
  const configuration = [
    `IdentityFile ${identityFile}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${knownHostsFile}`,
    'GlobalKnownHostsFile /dev/null',
    '',
  ];
  writeFileSync(join(folder, 'config'), configuration.join('\n'));
  writeFileSync(join(folder, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F '${join(folder, 'config')}' "$@"\n`, {
    mode: 0o755,
  });
}

function childrenOf(pid: number | undefined): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    // It has ended.
    return [];
  }
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [...descendantsOf(child), child]);
}

function endAtOnce(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended with the others.
  }
}

/** Makes a pair of keys; the public one is the answer. */
async function makeKey(path: string): Promise<string> {
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path]);
  return readFileSync(`${path}.pub`, 'utf8');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('No port is free');
  return address.port;
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
      .on('connect', () => {
        socket.destroy();
        resolve(true);
      })
      .on('error', () => resolve(false));
  });
}
