import type { SshAddress } from './docker-address.ts';

/** The arguments of the ssh that joins its standard input and output to the engine's socket on the other host. */
export function sshArguments(address: SshAddress): readonly string[] {
  const { host, user, port, socket, identityFile, knownHostsFile } = address;
  return [
    '-T',
    // Nobody is there to be asked: what is not known is refused.
    ...options({
      BatchMode: 'yes',
      StrictHostKeyChecking: 'yes',
      ConnectTimeout: '10',
      // A dead line is noticed after 15 s instead of never.
      ServerAliveInterval: '5',
      ServerAliveCountMax: '3',
      ForwardAgent: 'no',
      ClearAllForwardings: 'yes',
      ...(identityFile && { IdentitiesOnly: 'yes', IdentityAgent: 'none' }),
      ...(knownHostsFile && { UserKnownHostsFile: knownHostsFile, GlobalKnownHostsFile: '/dev/null' }),
    }),
    ...(identityFile ? ['-i', identityFile] : []),
    ...(port ? ['-p', String(port)] : []),
    ...(user ? ['-l', user] : []),
    '--',
    host,
    'docker',
    ...(socket ? ['--host', `unix://${socket}`] : []),
    'system',
    'dial-stdio',
  ];
}

function options(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}
