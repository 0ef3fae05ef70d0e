import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Checkout } from './testing/checkout.ts';

const IMAGE = `ghcr.io/example/calculaud@sha256:${'a'.repeat(64)}`;
const CONFIGURATION = 'name: staging\nkind: staging';

let checkout: Checkout;

beforeEach(() => {
  checkout = new Checkout();
});

afterEach(() => {
  checkout.remove();
});

describe('deploy.sh', () => {
  const deploy = (more: Record<string, string> = {}) =>
    checkout.run('deploy.sh staging', { IMAGE, CONFIGURATION, ...more });
  const journey = { CALCULAUD_API_TOKEN: 'a token', URL: 'https://staging.example.org' };

  beforeEach(() => {
    const commit = checkout.commit('change', { '.release-please-manifest.json': '{ ".": "1.0.0" }' });
    checkout.program('gh', `echo ${commit}`);
    checkout.program('npx');
  });

  test('deploys the image, sees it work, and hands it on', () => {
    const { status, calls, outputs } = deploy(journey);
    expect(status).toBe(0);
    expect(calls.filter((call) => call.startsWith('npx'))).toEqual([
      `npx calculaud deploy --to staging --image ${IMAGE} --wait 1800 --yes --json`,
      'npx calculaud journey --url https://staging.example.org --json',
    ]);
    expect(outputs['image']).toBe(IMAGE);
    expect(readFileSync(join(checkout.path, 'calculaud.staging.yml'), 'utf8')).toBe(`${CONFIGURATION}\n`);
  });

  test.each([
    ['the deployment went back to the old version', 'case $2 in deploy) exit 4 ;; esac', 4],
    ['the journey fails', 'case $2 in journey) exit 1 ;; esac', 1],
  ])('hands nothing on when %s', (_what, npx, expected) => {
    checkout.program('npx', npx);
    const { status, outputs } = deploy(journey);
    expect(status).toBe(expected);
    expect(outputs).not.toHaveProperty('image');
  });

  test('leaves the journey to the deployment where it has no token for one', () => {
    const { status, calls, outputs } = deploy();
    expect(status).toBe(0);
    expect(calls.join('\n')).not.toContain('journey');
    expect(outputs['image']).toBe(IMAGE);
  });

  test('deploys nothing when the main branch has moved on', () => {
    checkout.program('gh', 'echo 1111111111111111111111111111111111111111');
    const { status, calls, outputs, stderr } = deploy();
    expect(status).toBe(0);
    expect(calls.join('\n')).not.toContain('npx');
    expect(outputs).not.toHaveProperty('image');
    expect(stderr).toContain('Nothing is deployed to staging');
  });

  test('deploys nothing when it cannot know', () => {
    checkout.program('gh', 'exit 1');
    const { status, calls } = deploy();
    expect(status).not.toBe(0);
    expect(calls.join('\n')).not.toContain('npx');
  });

  test('deploys nothing without the configuration of the environment', () => {
    const { status, calls } = checkout.run('deploy.sh staging', { IMAGE, CONFIGURATION: '' });
    expect(status).not.toBe(0);
    expect(calls.join('\n')).not.toContain('npx');
  });
});

describe('with-ssh.sh', () => {
  const environment = { SSH_PRIVATE_KEY: 'the key', SSH_KNOWN_HOSTS: 'host ssh-ed25519 AAAA' };
  const withSsh = (command: string, more: Record<string, string> = {}) =>
    checkout.run(`with-ssh.sh ${command}`, { ...environment, ...more });

  beforeEach(() => {
    checkout.program('ssh-agent', 'case $1 in -s) echo "SSH_AGENT_PID=1; export SSH_AGENT_PID" ;; esac');
    checkout.program('ssh-add', 'cat > key');
    checkout.program('deploy', 'echo "key: ${SSH_PRIVATE_KEY:-none}"');
  });

  test('hands the key to an agent, which ends with the command; the command does not see it', () => {
    const { status, stdout, calls } = withSsh('deploy --to staging');
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'key: none\n' });
    expect(calls).toEqual(['ssh-agent -s', 'ssh-add -q -', 'deploy --to staging', 'ssh-agent -k']);
    expect(readFileSync(join(checkout.path, 'key'), 'utf8')).toBe('the key\n');
  });

  test('believes the stated hosts', () => {
    withSsh('deploy');
    expect(readFileSync(join(checkout.path, '.ssh/known_hosts'), 'utf8')).toBe('host ssh-ed25519 AAAA\n');
  });

  test('ends as the command does, without the agent', () => {
    checkout.program('deploy', 'exit 4');
    const { status, calls } = withSsh('deploy');
    expect(status).toBe(4);
    expect(calls.at(-1)).toBe('ssh-agent -k');
  });

  test.each(['SSH_PRIVATE_KEY', 'SSH_KNOWN_HOSTS'])('runs nothing without %s', (name) => {
    const { status, calls } = withSsh('deploy', { [name]: '' });
    expect(status).not.toBe(0);
    expect(calls).toEqual([]);
    expect(existsSync(join(checkout.path, '.ssh'))).toBe(false);
  });
});

describe('audit.sh', () => {
  test('looks at all pipelines, and asks GitHub', () => {
    checkout.program('node', 'echo zizmor');
    checkout.program('zizmor');
    expect(checkout.run('audit.sh').calls.at(-1)).toBe('zizmor --persona=auditor --no-progress .github');
  });

  test('fails when something is found', () => {
    checkout.program('node', 'echo zizmor');
    checkout.program('zizmor', 'exit 14');
    expect(checkout.run('audit.sh').status).toBe(14);
  });
});
