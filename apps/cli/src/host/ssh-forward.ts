import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SshAddress } from './docker-address.ts';
import { keepLastLines } from './last-lines.ts';
import { sshArguments } from './ssh-command.ts';

/** A socket on this machine that stands for the engine of another one. */
export interface SshForward {
  readonly socketPath: string;
  /** What ssh said when a connection last failed, or nothing. */
  readonly complaint: () => string | undefined;
  readonly close: () => Promise<void>;
}

/**
 * Opens a socket that only this user can reach; each connection to it goes through an ssh of its own. The API and the
 * docker client both use it, so that one place says how ssh is called, whatever the client's version.
 */
export async function forwardBySsh(address: SshAddress): Promise<SshForward> {
  const folder = await mkdtemp(join(tmpdir(), 'calculaud-ssh-'));
  const socketPath = join(folder, 'docker.sock');
  const connections = new Map<Socket, ChildProcess>();
  let complaint: string | undefined;

  // Either side may end its half first: `docker exec -i` does so when its input ends and the output still comes.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const ssh = spawn('ssh', sshArguments(address), { stdio: ['pipe', 'pipe', 'pipe'] });
    connections.set(socket, ssh);
    const lines = keepLastLines(ssh.stderr);
    socket.pipe(ssh.stdin);
    // Ended below, once it is known why: whoever reads the end asks at once what the complaint was.
    ssh.stdout.pipe(socket, { end: false });
    ssh.stdout.once('data', () => {
      complaint = undefined;
    });
    // The end of the other side tells by itself; these only say that it was in the middle of something.
    ssh.stdin.on('error', () => socket.destroy());
    socket.on('error', () => ssh.kill());
    socket.on('close', () => {
      connections.delete(socket);
      ssh.kill();
    });
    ssh.on('error', (error) => {
      complaint = `ssh cannot be started: ${error.message}`;
      socket.destroy();
    });
    ssh.on('close', (code) => {
      // What the engine refuses comes through as an answer; this is about the way to it.
      if (code) complaint = lines().join(' ') || `ssh ended with ${code}`;
      socket.destroySoon();
    });
  });
  server.listen(socketPath);
  await once(server, 'listening');

  return {
    socketPath,
    complaint: () => complaint,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of connections.keys()) socket.destroy();
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
