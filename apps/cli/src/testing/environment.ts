import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DockerAddress, showDockerAddress } from '../host/docker-address.ts';

/** A calculaud.yml, alone in its folder, of an environment called production with one host. */
export function writeEnvironment(docker: DockerAddress): string {
  const file = join(mkdtempSync(join(tmpdir(), 'calculaud-environment-')), 'calculaud.yml');
  const lines = [
    'name: production',
    'kind: production',
    'domain: procurement.example.org',
    'image: registry.example.org/calculaud:1.0.0',
    'hosts:',
    '  - name: node-1',
    `    docker: ${showDockerAddress(docker)}`,
  ];
  writeFileSync(file, lines.join('\n'));
  return file;
}
