import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Engine, startEngine } from '../testing/engine.ts';
import { openDocker, type Docker } from './docker.ts';
import { dockerApi } from './docker-api.ts';
import { DockerError, isLeaderless, isOutOfSequence, isUncertain } from './docker-error.ts';
import { dockerTransport } from './docker-transport.ts';

const LEADERLESS = {
  status: 500,
  message: 'rpc error: code = Unknown desc = The swarm does not have a leader.',
};

let engine: Engine;
let docker: Docker;
beforeEach(async () => {
  engine = await startEngine();
  docker = await openDocker(engine.address);
});
afterEach(async () => {
  await docker.close();
  await engine.stop();
});

async function failureOf(work: Promise<unknown>): Promise<DockerError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof DockerError) return error;
  throw new Error(`Expected a DockerError, not ${String(error)}`);
}

describe('configs', () => {
  test('are made, found by the beginning of their names, read and removed', async () => {
    await docker.api.createConfig({ name: 'a.1', data: 'text', labels: { kind: 'x' } });
    await docker.api.createConfig({ name: 'b.1', data: 'other' });
    expect((await docker.api.configs({ name: ['a.'] })).map(({ Spec }) => Spec.Name)).toEqual(['a.1']);
    const config = await docker.api.config('a.1');
    expect(config?.Spec).toEqual({ Name: 'a.1', Data: 'dGV4dA==', Labels: { kind: 'x' } });
    expect(await docker.api.removeConfig('a.1')).toBe(true);
    expect(await docker.api.removeConfig('a.1')).toBe(false);
    expect(await docker.api.config('a.1')).toBeUndefined();
  });

  test('change only from the version that was read', async () => {
    await docker.api.createConfig({ name: 'a', data: 'text', labels: { n: '1' } });
    const seen = await docker.api.config('a');
    if (!seen) throw new Error('The config is not there');
    await docker.api.updateConfigLabels(seen, { n: '2' });
    const refusal = await failureOf(docker.api.updateConfigLabels(seen, { n: '3' }));
    expect(isOutOfSequence(refusal)).toBe(true);
    expect(isUncertain(refusal)).toBe(false);
    expect((await docker.api.config('a'))?.Spec.Labels).toEqual({ n: '2' });
  });
});

describe('requests', () => {
  test('are repeated while the swarm has no leader', async () => {
    let left = 2;
    engine.trouble = (request) => {
      if (!request.endsWith('/configs') || left === 0) return undefined;
      left -= 1;
      return LEADERLESS;
    };
    expect(await docker.api.configs()).toEqual([]);
    expect(engine.requests.filter((request) => request.endsWith('/configs'))).toHaveLength(3);
  });

  test.each([
    'rpc error: code = DeadlineExceeded desc = context deadline exceeded',
    'rpc error: code = Unknown desc = context deadline exceeded',
    'rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status',
  ])('count as leaderless when the answer is "%s"', (answer) => {
    expect(isLeaderless(new DockerError('unix:///x', 'GET /configs', 500, answer))).toBe(true);
  });

  test('are not repeated for any other failure, which says what was asked and answered', async () => {
    engine.trouble = (request) =>
      request.endsWith('/configs')
        ? { status: 503, message: 'This node is not a swarm manager.' }
        : undefined;
    const { message, status } = await failureOf(docker.api.configs());
    expect(status).toBe(503);
    expect(message).toContain('GET /v1.41/configs to the Docker engine at unix:///');
    expect(message).toContain('was answered with 503: This node is not a swarm manager.');
    expect(engine.requests.filter((request) => request.endsWith('/configs'))).toHaveLength(1);
  });

  test('that are dropped are uncertain', async () => {
    engine.trouble = (request) => (request.endsWith('/configs') ? 'drop' : undefined);
    const failure = await failureOf(docker.api.configs());
    expect(failure.status).toBeUndefined();
    expect(isUncertain(failure)).toBe(true);
  });

  test('end when nothing comes', async () => {
    if (engine.address.kind !== 'unix') throw new Error('No socket');
    const transport = dockerTransport({
      name: 'the engine',
      listensAt: { socketPath: engine.address.path },
      timeoutMs: 100,
    });
    engine.trouble = (request) => (request.endsWith('/configs') ? 'hang' : undefined);
    const failure = await failureOf(dockerApi(transport).configs());
    expect(failure.message).toBe(
      'GET /v1.41/configs to the Docker engine at the engine got no answer: nothing came within 0.1 s',
    );
    transport.close();
  });

  test('end when the caller no longer wants them', async () => {
    const controller = new AbortController();
    engine.trouble = (request) => {
      if (!request.endsWith('/configs/a')) return undefined;
      controller.abort(new Error('no longer wanted'));
      return 'hang';
    };
    await expect(docker.api.config('a', controller.signal)).rejects.toThrow(/abort|no longer wanted/);
  });

  test('speak the oldest version of the API that a newer engine still knows', async () => {
    const newer = await startEngine({ minApiVersion: '1.44' });
    const other = await openDocker(newer.address);
    await other.api.configs();
    expect(newer.requests).toEqual(['GET /version', 'GET /v1.44/configs']);
    await other.close();
    await newer.stop();
  });

  test('to nobody say so', async () => {
    const nobody = await openDocker({ kind: 'unix', path: '/nonexistent/docker.sock' });
    const { message } = await failureOf(nobody.api.info());
    expect(message).toContain(
      'GET /version to the Docker engine at unix:///nonexistent/docker.sock got no answer',
    );
    expect(message).toContain('ENOENT');
    await nobody.close();
  });

  test('that are answered in an unknown way say where', async () => {
    await docker.api.createConfig({ name: 'a', data: 'text' });
    engine.trouble = (request) =>
      request.endsWith('/configs') ? { status: 200, message: 'hello' } : undefined;
    await expect(docker.api.configs()).rejects.toThrow('answered /configs in a way that is not known');
  });
});
