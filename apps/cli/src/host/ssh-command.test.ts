import { expect, test } from 'vitest';
import { sshArguments } from './ssh-command.ts';

test('an ssh that nobody watches asks nothing and believes known hosts only', () => {
  const line = sshArguments({ kind: 'ssh', host: 'db-1' });
  expect(line).toEqual(
    expect.arrayContaining(['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ForwardAgent=no']),
  );
  expect(line.slice(-5)).toEqual(['--', 'db-1', 'docker', 'system', 'dial-stdio']);
});

test('a key that is named is the only one that is tried', () => {
  const line = sshArguments({ kind: 'ssh', host: 'db-1', identityFile: '/keys/deploy' });
  expect(line.join(' ')).toContain('-o IdentitiesOnly=yes -o IdentityAgent=none -i /keys/deploy');
});

test('a file of known hosts that is named is the only one that is believed', () => {
  const line = sshArguments({ kind: 'ssh', host: 'db-1', knownHostsFile: '/keys/hosts' });
  expect(line.join(' ')).toContain('-o UserKnownHostsFile=/keys/hosts -o GlobalKnownHostsFile=/dev/null');
});

test('user, port and socket are taken from the address', () => {
  const line = sshArguments({ kind: 'ssh', host: 'db-1', user: 'ops', port: 2222, socket: '/run/d.sock' });
  expect(line.join(' ')).toMatch(
    /-p 2222 -l ops -- db-1 docker --host unix:\/\/\/run\/d.sock system dial-stdio$/,
  );
});
