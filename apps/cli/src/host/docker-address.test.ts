import { describe, expect, test } from 'vitest';
import { parseDockerAddress, showDockerAddress } from './docker-address.ts';

describe('the address of a Docker engine', () => {
  test.each([
    ['unix:///var/run/docker.sock', { kind: 'unix', path: '/var/run/docker.sock' }],
    ['tcp://127.0.0.1:4243', { kind: 'tcp', host: '127.0.0.1', port: 4243 }],
    ['ssh://ops@db-1.example.org', { kind: 'ssh', user: 'ops', host: 'db-1.example.org' }],
    ['ssh://db-1:2222', { kind: 'ssh', host: 'db-1', port: 2222 }],
    [
      'ssh://ops@db-1/run/user/1000/docker.sock',
      { kind: 'ssh', user: 'ops', host: 'db-1', socket: '/run/user/1000/docker.sock' },
    ],
  ])('%s is understood and shown as it was written', (text, address) => {
    expect(parseDockerAddress(text)).toEqual(address);
    expect(showDockerAddress(parseDockerAddress(text))).toBe(text);
  });

  test('takes the settings of ssh along', () => {
    expect(parseDockerAddress('ssh://db-1', { identityFile: '/keys/deploy' })).toEqual({
      kind: 'ssh',
      host: 'db-1',
      identityFile: '/keys/deploy',
    });
  });

  test.each([
    ['docker', 'is no address'],
    ['http://127.0.0.1:2375', 'of a kind that is not known'],
    ['tcp://10.0.0.7:2375', 'without encryption'],
    ['unix://relative/docker.sock', 'whole path'],
    ['ssh://ops:secret@db-1', 'holds a password'],
    ['ssh://-oProxyCommand=touch@db-1', 'impossible user name'],
    ['ssh://-db-1', 'impossible host name'],
    ['ssh://db-1/run/docker.sock;reboot', 'unusual characters'],
    ['ssh://db-1/run/docker.sock?x=1', 'mean nothing'],
  ])('%s is refused', (text, reason) => {
    expect(() => parseDockerAddress(text)).toThrow(reason);
  });
});
